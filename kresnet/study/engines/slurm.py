"""Trains the runs of a study as jobs of SLURM, through submitit.

Every run is a job of its own, not a task of an array: it is submitted,
requeued, cancelled and submitted again by itself, whatever the others do.
"""

import dataclasses
import os
import re
import shutil
import time
import types
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kresnet.errors import (
    DeviceMissingError,
    DivergedError,
    InputMissingError,
    OutOfMemoryError,
    SpecError,
    StoppedError,
)
from kresnet.files import make_folder
from kresnet.machine.signals import Signals
from kresnet.notices import notify
from kresnet.study.engines.on_nodes import (
    RETRIES,
    arguments_on_node,
    environment_on_node,
    log_of,
    ready,
    say_last_lines,
)
from kresnet.study.engines.slurm_jobs import (
    CANCELLED,
    ENDS,
    GONE,
    JOBS,
    Jobs,
    ask_slurm,
    run_name,
)
from kresnet.study.engines.slurm_task import Run
from kresnet.study.plan import PlannedRun

# A run has so long to save before its time is over: it needs half a minute,
# and SLURM may be late by as much.
SECONDS_TO_SAVE = 120
# A job lasts so long if nobody says otherwise.
MINUTES = 60
# Options of sbatch that the engine needs itself.
OWN_OPTIONS = frozenset(
    {
        *("array", "dependency", "error", "job-name", "kill-on-invalid-dep"),
        *("nodes", "ntasks", "ntasks-per-node", "open-mode", "output"),
        *("requeue", "no-requeue", "signal", "wrap", "parsable", "wait"),
    }
)
TIME = re.compile(r"(?:([0-9]+)-)?([0-9]+)(?::([0-9]+))?(?::([0-9]+))?")
MOST_DIGITS = 9


def parse_minutes(text: str) -> int:
    """Reads a time as `sbatch --time` does, rounded up to whole minutes.

    Raises a SpecError for what is no such time.
    """
    found = TIME.fullmatch(text.strip())
    minutes = 0
    if found and len(text) <= MOST_DIGITS + 9:
        days, *parts = (int(x) if x else None for x in found.groups())
        if days is not None or parts[2] is not None:  # D-H:M:S, H:M:S
            hours, more, seconds = (x or 0 for x in parts)
        else:  # M or M:S
            hours, more, seconds = 0, parts[0] or 0, parts[1] or 0
        total = (((days or 0) * 24 + hours) * 60 + more) * 60 + seconds
        minutes = -(-total // 60)
    if not 0 < minutes < 10**MOST_DIGITS:
        raise SpecError(
            "--time: must be a number of minutes, or H:M:S or D-H:M as of"
            f" sbatch, more than nothing. Received: {text}"
        )
    return minutes


def parse_options(texts: Sequence[str]) -> dict[str, str | bool]:
    """Reads options of sbatch, `NAME=VALUE` or `NAME`.

    Raises a SpecError for those that the engine itself needs.
    """
    options: dict[str, str | bool] = {}
    for text in texts:
        name, given, value = text.partition("=")
        name = name.strip().removeprefix("--")
        if not re.fullmatch(r"[a-z][a-z-]{0,40}", name) or (
            not value.isprintable()
        ):
            raise SpecError(
                "--slurm-option: must be NAME=VALUE, or NAME, of an option of"
                f" sbatch by its long name. Received: {text}"
            )
        if name in OWN_OPTIONS:
            raise SpecError(
                f"--slurm-option: {name} is kresnet's own. Received: {text}"
            )
        options[name] = value if given else True
    return options


@dataclasses.dataclass
class SlurmEngine:
    """Runs every run of a study as a job.

    A run that is stopped before its time is over, preempted, or whose node is
    lost, goes on when SLURM starts its job again. What else kills a run is
    tried again `RETRIES` times.

    Attributes:
        folder: The study's.
        options: Options of sbatch by their long names.
        minutes: Longest time of a job, which is requeued then.
        cpus: CPUs of a run; without a GPU also its threads.
        gpus: GPUs of a run.
        detach: Whether it returns once all is submitted.
        unfinished: How many runs had not ended when it returned.
    """

    folder: Path
    options: Mapping[str, str | bool]
    minutes: int = MINUTES
    cpus: int = 1
    gpus: int = 0
    detach: bool = False
    unfinished: int = 0

    def __call__(
        self,
        planned: Sequence[PlannedRun],
        data_dir: str | os.PathLike[str] | None,
        changed: Callable[[], None],
    ) -> Generator[tuple[PlannedRun, int], None, None]:
        """Yields every run with its exit code; those that failed come last.

        Raises:
            DeviceMissingError: There is no SLURM, or it refuses a job.
            StoppedError: A signal came; the jobs stay in SLURM's queue.
        """
        if not planned:
            return
        asked = types.SimpleNamespace(signal=None)
        jobs = Jobs(self.folder / JOBS)
        failed: list[tuple[PlannedRun, int]] = []
        waiting, pending = list(planned), list[PlannedRun]()
        with Signals(asked):
            while waiting or pending:
                free = waiting if self.detach else ready(waiting, pending)
                for each in list(free):
                    waiting.remove(each)
                    if run_name(each) not in jobs.known:
                        self._submit(jobs, each, data_dir)
                    pending.append(each)
                jobs.ask()
                for each in list(pending):
                    code = self._code(jobs, each, data_dir)
                    if code is None:
                        continue
                    pending.remove(each)
                    jobs.forget(each)
                    if code in (0, DivergedError.exit_code):
                        yield each, code
                        continue
                    failed.append((each, code))
                    if code == StoppedError.exit_code:
                        notify(f"{each.folder}: its job was cancelled")
                    else:
                        say_last_lines(each)
                changed()
                if self.detach and not jobs.is_in_doubt(pending):
                    self.unfinished = len(pending)
                    break
                if asked.signal:
                    raise StoppedError(
                        f"{self.folder}: {len(waiting) + len(pending)} runs"
                        " go on without this command; the same command looks"
                        " at them, and with --cancel it ends them"
                    )
                if pending:
                    time.sleep(1)
        # Errors before stops: the study ends with the first of them.
        failed.sort(key=lambda end: end[1] == StoppedError.exit_code)
        yield from failed

    def cancel(self) -> int:
        """Cancels the jobs of the study; each saves. Returns their number."""
        jobs = Jobs(self.folder / JOBS)
        jobs.ask()
        ids = [
            each.job
            for each in jobs.known.values()
            if jobs.states.get(each.job, GONE) not in (*ENDS, GONE)
        ]
        if ids:
            ask_slurm(["scancel", *ids])
        return len(ids)

    def _code(
        self,
        jobs: Jobs,
        each: PlannedRun,
        data_dir: str | os.PathLike[str] | None,
    ) -> int | None:
        """The exit code of a run; `None` while it has not ended."""
        code = jobs.outcome(each)
        if code is not None:
            return code
        state = jobs.state(each)
        if state == CANCELLED:
            return StoppedError.exit_code
        if state == "OUT_OF_MEMORY":
            return OutOfMemoryError.exit_code
        if state not in (*ENDS, GONE):
            return None
        known = jobs.known[run_name(each)]
        notify(
            f"{each.folder}: job {known.job} ended ({state.lower()}) and the"
            " run had not"
        )
        if known.tries > RETRIES:
            return DeviceMissingError.exit_code
        self._submit(jobs, each, data_dir, known.tries + 1)
        return None

    def _submit(
        self,
        jobs: Jobs,
        each: PlannedRun,
        data_dir: str | os.PathLike[str] | None,
        tries: int = 1,
    ) -> None:
        make_folder(jobs.folder)
        outcome = jobs.outcome_file(each)
        outcome.unlink(missing_ok=True)
        run = Run(
            arguments_on_node(each, data_dir),
            environment_on_node(self.cpus, self.gpus),
            str(log_of(each)),
            str(outcome),
        )
        options: dict[str, Any] = {**self.options, "requeue": True}
        source = jobs.known.get(run_name(each.source)) if each.source else None
        if source:
            options["dependency"] = f"afterok:{source.job}"
            options["kill-on-invalid-dep"] = "yes"
        jobs.note(each, self._executor(run, each, options), tries)

    def _executor(
        self, run: Run, each: PlannedRun, options: dict[str, Any]
    ) -> str:
        """Hands a run to SLURM; returns the number of its job."""
        if shutil.which("srun") is None:
            raise DeviceMissingError(
                "--engine slurm: this machine has no srun; use a machine from"
                " which jobs are submitted"
            )
        try:
            import submitit
        except ModuleNotFoundError as error:
            raise InputMissingError(
                "--engine slurm needs submitit, not installed here: pip"
                " install 'kresnet[slurm]'"
            ) from error
        executor = submitit.SlurmExecutor(
            self.folder.absolute() / JOBS,
            # A signal soon after the start counts as one too.
            max_num_timeout=1_000_000,
        )
        executor.update_parameters(
            job_name=f"{self.folder.name}/{run_name(each)}",
            time=self.minutes,
            cpus_per_task=self.cpus,
            signal_delay_s=min(SECONDS_TO_SAVE, self.minutes * 60 // 3),
            additional_parameters=options,
            **({"gpus_per_node": self.gpus} if self.gpus else {}),
        )
        try:
            return str(executor.submit(run).job_id)
        except submitit.core.utils.FailedJobError as error:
            said = " ".join(str(error).split())
            raise DeviceMissingError(
                f"{each.folder}: SLURM does not take its job: {said}"
            ) from error
