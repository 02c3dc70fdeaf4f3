"""A run as a job of SLURM: it saves when it must go, and goes on."""

import dataclasses
import os
import signal
import subprocess
from pathlib import Path

from kresnet.files import replace_file
from kresnet.machine.children import as_shell
from kresnet.study.engines.on_nodes import may_go_on, start_run


@dataclasses.dataclass
class Run:
    """What submitit calls on a node, and again after each requeue.

    Attributes:
        arguments: Those of `kresnet`.
        environment: More variables for it.
        log: The file that its output is added to.
        outcome: The file that its exit code is written to when it has ended
            by itself. Without that file the run was killed or stopped.
        child: The run, once it is started.
    """

    arguments: list[str]
    environment: dict[str, str]
    log: str
    outcome: str
    child: subprocess.Popen | None = None

    def __call__(self) -> None:
        """Trains; ends this process with the exit code of the run."""
        self.child = start_run(
            self.arguments,
            self.environment,
            self.log,
            preexec_fn=_ignore_warning,
        )
        raise SystemExit(self._conclude(self._ended()))

    def checkpoint(self) -> object:
        """Is called by submitit in its signal handler, before a time limit.

        Returns what is to be called after a requeue; `None` for nothing.
        """
        from submitit.helpers import DelayedSubmission

        if self.child:
            self.child.send_signal(signal.SIGTERM)
            code = self._ended()
            if not may_go_on(code):
                raise SystemExit(self._conclude(code))
        return DelayedSubmission(dataclasses.replace(self, child=None))

    def _ended(self) -> int:
        """Waits, and returns the exit code as a shell names it.

        Not by `Popen.wait`, whose lock the handler would wait for too.
        """
        assert self.child is not None  # noqa: S101, for mypy
        end = os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        assert end is not None  # noqa: S101, for mypy
        by_itself = end.si_code == os.CLD_EXITED
        return as_shell(end.si_status if by_itself else -end.si_status)

    def _conclude(self, code: int) -> int:
        if not may_go_on(code):
            replace_file(Path(self.outcome), f"{code}\n")
        return code


def _ignore_warning() -> None:
    # SLURM sends it to every process of a step, and not to submitit alone.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
