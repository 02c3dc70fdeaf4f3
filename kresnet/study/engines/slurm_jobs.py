"""Which job of SLURM is whose, and what SLURM says of them."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from kresnet.errors import DeviceMissingError
from kresnet.files import replace_file
from kresnet.notices import notify
from kresnet.records.typed_file import as_json, read_typed
from kresnet.study.plan import PlannedRun

# submitit's own files, and which job is whose; below the study's folder.
JOBS = "jobs"
# SLURM is asked so often; what ended by itself is noticed at once.
SECONDS_BETWEEN_QUESTIONS = 5
# SLURM is believed that a job is gone when it says so so many times: between
# an end and a requeue it may.
TIMES_GONE = 3
# States of a job that has ended, whatever its run did.
ENDS = (
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "TIMEOUT",
)
CANCELLED = "CANCELLED"
GONE = "GONE"


class _Job(BaseModel):
    """The job of a run, and how often one was submitted until then."""

    job: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]
    tries: Annotated[int, Field(ge=1)]


class _Submitted(BaseModel):
    """What stands in jobs.json: jobs by the names of their runs."""

    jobs: dict[str, _Job] = {}


class Jobs:
    """Which job is whose, in a file; and what SLURM says of them.

    Attributes:
        known: Jobs whose end was not seen yet, by the names of their runs.
        states: What SLURM said last, by the number of the job.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.states: dict[str, str] = {}
        self._gone: dict[str, int] = {}
        self._asked = float("-inf")
        self._silent = False
        self._file = folder / "jobs.json"
        submitted = read_typed(self._file, _Submitted)
        self.known = submitted.jobs if submitted else {}

    def note(self, each: PlannedRun, job: str, tries: int) -> None:
        """Remembers the job of a run."""
        self.known[run_name(each)] = _Job(job=job, tries=tries)
        self._asked = float("-inf")
        self._write()

    def forget(self, each: PlannedRun) -> None:
        """Forgets the job of a run that has ended."""
        del self.known[run_name(each)]
        self._write()

    def _write(self) -> None:
        replace_file(self._file, as_json(_Submitted(jobs=self.known)))

    def outcome_file(self, each: PlannedRun) -> Path:
        """The file of the exit code of a run that ended by itself."""
        return self.folder.absolute() / f"{run_name(each)}.exit"

    def outcome(self, each: PlannedRun) -> int | None:
        """The exit code of a run that ended by itself."""
        try:
            return int(self.outcome_file(each).read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def state(self, each: PlannedRun) -> str:
        """SLURM's word for the state of a run's job; else "UNKNOWN"."""
        job = self.known[run_name(each)].job
        state = self.states.get(job, "UNKNOWN")
        if state in ENDS and state != CANCELLED:
            return state if self._gone.get(job, 0) >= TIMES_GONE else "UNKNOWN"
        return state

    def is_in_doubt(self, pending: Sequence[PlannedRun]) -> bool:
        """Says whether a job seems gone and may be requeued yet."""
        counts = (
            self._gone.get(self.known[run_name(p)].job, 0) for p in pending
        )
        return any(0 < count < TIMES_GONE for count in counts)

    def ask(self) -> None:
        """Asks SLURM, unless it was asked a moment ago."""
        if time.monotonic() - self._asked < SECONDS_BETWEEN_QUESTIONS:
            return
        said = ask_slurm(
            ["squeue", "--me", "-h", "-t", "all", "-o", "%i %T"], True
        )
        self._asked = time.monotonic()
        if said is None:
            if not self._silent:
                notify("SLURM does not answer; asking again")
            self._silent = True
            return
        self._silent = False
        there = dict(
            line.split()[:2] for line in said.splitlines() if " " in line
        )
        for each in self.known.values():
            job = each.job
            state = there.get(job, GONE)
            over = state in (*ENDS, GONE)
            self._gone[job] = self._gone.get(job, 0) + 1 if over else 0
            if state == GONE and self._gone[job] < TIMES_GONE:
                state = "UNKNOWN"
            self.states[job] = state


def run_name(each: PlannedRun | Path) -> str:
    """The name of a run, or of its folder, in the study: "plain56-seed0"."""
    folder = each if isinstance(each, Path) else each.folder
    return f"{folder.parent.name}-{folder.name}"


def ask_slurm(command: list[str], may_fail: bool = False) -> str | None:
    """Returns what a command of SLURM says; `None` if it fails and may."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except FileNotFoundError as error:
        raise DeviceMissingError(
            f"--engine slurm: this machine has no {command[0]}"
        ) from error
    except (subprocess.SubprocessError, OSError) as error:
        if may_fail:
            return None
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise DeviceMissingError(f"{command[0]}: {said}") from error
