"""How the processes of a team begin: all from the checkpoint of process 0."""

import contextlib

from kresnet.errors import KresnetError
from kresnet.machine.team import ProcessLostError, Team
from kresnet.records.checkpoints import Checkpoint
from kresnet.training.checkpoint_bytes import from_bytes, to_bytes

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
