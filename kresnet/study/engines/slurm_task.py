"""A run as a job of SLURM: it saves when it must go, and goes on."""

import os
import signal
import subprocess
from pathlib import Path

from kresnet.errors import StoppedError
from kresnet.files import replace_file
from kresnet.machine.children import as_shell, start_child


class Run:
    """What submitit calls on a node, and again after each requeue.

    Args:
        arguments: Those of `kresnet`.
        environment: More variables for it.
        log: The file that its output is added to.
        outcome: The file that its exit code is written to when it has ended
            by itself. Without that file the run was killed or stopped.
    """

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        log: str,
        outcome: str,
    ):
        self.arguments = arguments
        self.environment = environment
        self.log = log
        self.outcome = outcome
        self._child: subprocess.Popen | None = None

    def __call__(self) -> None:
        """Trains; ends this process with the exit code of the run."""
        Path(self.log).parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as file:
            self._child = start_child(
                self.arguments,
                self.environment,
                stdout=file,
                stderr=file,
                preexec_fn=_ignore_warning,
            )
        raise SystemExit(self._conclude(self._ended()))

    def checkpoint(self) -> object:
        """Is called by submitit in its signal handler, before a time limit.

        Returns what is to be called after a requeue; `None` for nothing.
        """
        from submitit.helpers import DelayedSubmission

        if self._child:
            self._child.send_signal(signal.SIGTERM)
            code = self._ended()
            if not _may_go_on(code):
                raise SystemExit(self._conclude(code))
        return DelayedSubmission(
            Run(self.arguments, self.environment, self.log, self.outcome)
        )

    def _ended(self) -> int:
        """Waits, and returns the exit code as a shell names it.

        Not by `Popen.wait`, whose lock the handler would wait for too.
        """
        assert self._child is not None  # noqa: S101, for mypy
        end = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOWAIT)
        assert end is not None  # noqa: S101, for mypy
        by_itself = end.si_code == os.CLD_EXITED
        return as_shell(end.si_status if by_itself else -end.si_status)

    def _conclude(self, code: int) -> int:
        if not _may_go_on(code):
            replace_file(Path(self.outcome), f"{code}\n")
        return code


def _may_go_on(code: int) -> bool:
    """Says whether the run was stopped or killed, and has not ended."""
    return code == StoppedError.exit_code or code > 128


def _ignore_warning() -> None:
    # SLURM sends it to every process of a step, and not to submitit alone.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
