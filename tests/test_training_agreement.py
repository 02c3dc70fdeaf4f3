"""What processes tell each other; here they are threads of one."""

import concurrent.futures
import signal
import threading

import numpy as np
import pytest

from kresnet.errors import (
    DiskFullError,
    InputMissingError,
    SpecError,
    StoppedError,
)
from kresnet.machine.team import Membership, ProcessLostError, Team
from kresnet.training.options import Options
from kresnet.training.team import Agreement, MemberEndedError


class Threads(Team):
    """What `kresnet.machine.team.Team` is between processes."""

    def __init__(self, index, meeting, rows, left):
        self.index = index
        self.count = len(rows)
        self._meeting, self._rows, self._left = meeting, rows, left

    def gather(self, row):
        self._rows[self.index] = row
        self._meeting.wait(timeout=60)
        found = np.array(self._rows, np.int32)
        self._meeting.wait(timeout=60)
        return found

    def leave(self):
        self._left.append(self.index)


def together(*parts):
    """What each part, a function of its agreement, returns or raises."""
    meeting, rows, left = threading.Barrier(len(parts)), [None] * len(parts), []

    def run(index, part):
        agreement = Agreement(Threads(index, meeting, rows, left))
        try:
            return part(agreement)
        except Exception as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        found = list(pool.map(run, range(len(parts)), parts))
    return found, sorted(left)


def work(error=None, identity="the same"):
    def part(agreement):
        with agreement.together():
            if error:
                raise error
        agreement.refuse_others(identity)
        return agreement.over

    return part


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_of_any_ends_all_with_its_exit_code(failing):
    error = InputMissingError("no data")
    parts = [work(error if i == failing else None) for i in range(3)]

    found, left = together(*parts)

    assert left == [0, 1, 2]
    assert found.pop(failing) is error
    for other in found:
        assert isinstance(other, MemberEndedError)
        assert other.exit_code == InputMissingError.exit_code
        assert f"process {failing} ended with exit code 66" in str(other)


def test_all_say_their_own_error_where_all_have_one():
    errors = [InputMissingError("here"), SpecError("there")]

    found, _ = together(*map(work, errors))

    assert found == errors


def test_when_process_0_was_stopped_the_others_were_too():
    found, _ = together(work(StoppedError("SIGTERM")), work())

    assert [type(error) for error in found] == [StoppedError, StoppedError]
    assert "process 0, which has saved" in str(found[1])


def test_without_an_error_they_go_on():
    assert together(work(), work()) == ([False, False], [])


def test_who_trains_something_else_ends_all():
    found, left = together(work(), work(identity="another"))

    assert left == [0, 1]
    for error in found:
        assert isinstance(error, SpecError)
        assert "different specs, seeds, data sets or options" in str(error)


def test_nobody_is_told_when_one_is_lost():
    """They would not hear it, and it would not end."""
    error = ProcessLostError("gone")

    found, left = together(work(error))

    assert (found, left) == ([error], [])


def test_a_signal_to_another_reaches_process_0():
    def part(agreement):
        if agreement.team.index == 1:
            agreement.signal = signal.SIGTERM
        agreement.exchange()
        return agreement.signal

    found, _ = together(part, part, part)

    assert found == [signal.SIGTERM, signal.SIGTERM, None]


def test_a_chunk_ends_where_process_0_says():
    def part(agreement):
        return agreement.of_first(7 + agreement.team.index)

    assert together(part, part)[0] == [7, 7]


def test_who_ends_is_heard_wherever_the_others_are():
    """One fails before a chunk, while the others wait for its end."""

    def failing(agreement):
        with agreement.together():
            raise DiskFullError("no room")

    def waiting(agreement):
        with agreement.together():
            agreement.of_first(20)

    found, left = together(failing, waiting, waiting)

    assert left == [0, 1, 2]
    assert [error.exit_code for error in found] == [74, 74, 74]


def test_a_process_alone_is_a_team_of_one():
    agreement = Agreement(Team())
    agreement.signal = signal.SIGTERM

    assert agreement.exchange(5) == [5]
    assert agreement.signal == signal.SIGTERM
    assert agreement.checkpoint(None) is None
    with pytest.raises(SpecError, match="mine"), agreement.together():
        raise SpecError("mine")


def test_what_one_measures_a_team_may(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")

    Options.of(membership=Membership("host:7711", 2, 1), gradients_every=7)
