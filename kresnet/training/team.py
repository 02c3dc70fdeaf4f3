"""A run of several processes: what they agree on, and the others' side."""

import contextlib
import hashlib
import json
import signal
from collections.abc import Callable, Iterator

import numpy as np
from safetensors.numpy import load, save

from kresnet.callbacks import (
    IterationCallback,
)
from kresnet.errors import KresnetError, SpecError, StoppedError
from kresnet.machine.signals import Holder
from kresnet.machine.team import ProcessLostError, Team
from kresnet.records.checkpoints import Checkpoint
from kresnet.records.identity import Identity


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """One line of JSON, then the weights and the optimiser's variables."""
    weights = save(checkpoint.weights)
    header = {
        "iteration": checkpoint.iteration,
        "state": checkpoint.state,
        "identity": checkpoint.identity.model_dump(mode="json"),
        "weights": len(weights),
    }
    line = json.dumps(header).encode() + b"\n"
    return line + weights + save(checkpoint.optimizer)


def from_bytes(data: bytes) -> Checkpoint:
    """What `to_bytes` was given."""
    line, _, arrays = data.partition(b"\n")
    header = json.loads(line)
    size = header["weights"]
    return Checkpoint(
        iteration=header["iteration"],
        weights=load(arrays[:size]),
        optimizer=load(arrays[size:]),
        state=header["state"],
        identity=Identity(**header["identity"]),
    )


# Told by process 0 instead of an exit code.
GO, FINISHED = 0, -1


class MemberEndedError(KresnetError):
    """Another process ended with an error of its own.

    Args:
        index: Its number.
        exit_code: Its exit code, and so this process's.
    """

    def __init__(self, index: int, exit_code: int):
        super().__init__(
            f"process {index} ended with exit code {exit_code} and says why"
        )
        self.exit_code = exit_code


class Start:
    """On process 0: tells the others to go, or that there will be no training.

    A context manager for what comes before the training; without a team it
    does nothing.
    """

    def __init__(self, team: Team | None):
        self._waiting = team

    def __enter__(self) -> "Start":
        return self

    def go(self, newest: Checkpoint | None) -> None:
        """All begin, at the checkpoint or at iteration 0."""
        team, self._waiting = self._waiting, None
        if team:
            with team.watch():
                team.gather([GO])
                team.share(to_bytes(newest) if newest else b"")

    def __exit__(self, kind, error, traceback) -> None:
        if team := self._waiting:
            code = getattr(error, "exit_code", 1) if error else FINISHED
            with contextlib.suppress(ProcessLostError), team.watch():
                team.gather([code])
                team.leave()


def hear_start(team: Team) -> tuple[bool, Checkpoint | None]:
    """On the others: whether to go, and from where.

    Raises:
        MemberEndedError: Process 0 ended instead.
        ProcessLostError: A process is gone.
    """
    with team.watch():
        code = int(team.gather([GO])[0, 0])
        if code != GO:
            team.leave()
            if code == FINISHED:
                return False, None
            raise MemberEndedError(0, code)
        data = team.share()
    return True, from_bytes(data) if data else None


MOST = 2**31 - 1


class Agreement(IterationCallback):
    """Keeps a process in step with the others; comes first among callbacks.

    Args:
        team: The processes.

    Attributes:
        identity: Of what is trained: the same on all, or they all end.
        holder: Acts on signals: its `signal` is told to the others, and that
            of process 0 is set when another heard one. This one at first.
        signal: A signal that came here.
        measured_pace: Gives the iterations per second measured here.
        pace: Those of process 0 at the last exchange, 0 while unknown.
        over: Whether the processes have left each other.
    """

    def __init__(self, team: Team):
        super().__init__()
        self.team = team
        self.identity = ""
        self.pace = 0
        self.signal: signal.Signals | None = None
        self.holder: Holder = self
        self.measured_pace: Callable[[], float] = lambda: 0.0
        self.over = False

    def exchange(self, code: int = 0) -> None:
        """Tells the others and hears from them.

        Args:
            code: Exit code of this process, if it ends.

        Raises:
            SpecError: They do not train the same.
            StoppedError: Process 0 has stopped, after a signal.
            MemberEndedError: One of them has ended with another error.
            ProcessLostError: One of them is gone.
        """
        pace = min(int(self.measured_pace()), MOST)
        row = (code, self.holder.signal or 0, pace, self._identity())
        with self.team.watch():
            codes, signals, paces, identities = self.team.gather(row).T
        if codes.any():
            self._leave()
            if not code:
                raise _end_of(codes)
            return
        if len(set(identities.tolist())) > 1:
            self._leave()
            raise SpecError(
                "--coordinator: the processes were started with different"
                " specs, seeds, data sets or options"
            )
        self.pace = int(paces[0])
        heard = [number for number in signals.tolist() if number]
        if heard and self.team.index == 0:
            self.holder.signal = signal.Signals(heard[0])

    def _identity(self) -> int:
        digest = hashlib.sha256(self.identity.encode()).digest()
        return int.from_bytes(digest[:4]) & MOST

    def _leave(self):
        # All at the same place: who ends first is not missed by the others.
        self.over = True
        self.team.leave()

    def on_train_batch_begin(self, batch, logs=None):
        """Before every chunk."""
        super().on_train_batch_begin(batch, logs)
        self.exchange()


def _end_of(codes: np.ndarray) -> StoppedError | MemberEndedError:
    first = int(codes.nonzero()[0][0])
    if first == 0 and codes[0] == StoppedError.exit_code:
        return StoppedError("stopped with process 0, which has saved")
    return MemberEndedError(first, int(codes[first]))


@contextlib.contextmanager
def told(agreement: Agreement | None) -> Iterator[None]:
    """Tells the others how what is done inside ended, and hears from them.

    All of them do something in it at the same place. Without an agreement
    there are no others.
    """
    if agreement is None:
        yield
        return
    try:
        with agreement.team.watch():
            yield
    except ProcessLostError:
        raise
    except Exception as error:
        if not agreement.over:
            with contextlib.suppress(ProcessLostError):
                agreement.exchange(getattr(error, "exit_code", 1))
        raise
    agreement.exchange()


@contextlib.contextmanager
def leading(agreement: Agreement | None) -> Iterator[None]:
    """Tells the others how the training on process 0 ended, and leaves them."""
    with told(agreement):
        yield
    if agreement:
        agreement.team.leave()
