"""Trains the runs of a study, and shows how it stands."""

import contextlib
import os
import time
from collections.abc import Callable, Generator, Sequence
from fractions import Fraction
from pathlib import Path

from rich.table import Table

from kresnet.errors import DivergedError, SpecError, StoppedError
from kresnet.records.run import RunRecord
from kresnet.study.engines.local import one_by_one
from kresnet.study.file import Study
from kresnet.study.plan import (
    PlannedRun,
    plan,
    read_records,
    refuse_other_folder,
    write_plan,
)


def study_table(
    study: Study, budget: Fraction, planned: Sequence[PlannedRun]
) -> Table:
    """A row for every run: status, iterations and test error.

    With a budget below 1 the table and every number in it say "proxy".
    """
    title, mark = study.name, ""
    if budget < 1:
        title += f", a proxy at {float(budget):.3%} of the iterations"
        mark = " proxy"
    table = Table(title=title)
    for name in ("network", "seed", "status"):
        table.add_column(name)
    for name in ("iterations", "test error"):
        table.add_column(name, justify="right")
    for each, record in zip(planned, read_records(planned), strict=True):
        error = record and record.test_error
        done = record.iteration if record else 0
        table.add_row(
            each.run.label,
            str(each.seed),
            _status(record),
            f"{done:,} of {each.spec.training.iterations:,}",
            f"{error:.2f} %{mark}" if error is not None else "",
        )
    return table


def _status(record: RunRecord | None) -> str:
    return record.status if record else "not run"


# Nothing more will come of these: the same command would end the same way.
DONE = ("finished", "diverged")
# Seconds after which the runs are shown although no status changed.
LONGEST_SILENCE = 600

# Runs what it is given on the data in a folder, calls the function about once a
# second or before each run, and yields every run with its exit code as it ends.
# Closed before the end, it stops the others.
Engine = Callable[
    [Sequence[PlannedRun], str | os.PathLike[str] | None, Callable[[], None]],
    Generator[tuple[PlannedRun, int], None, None],
]


class RunFailedError(RuntimeError):
    """A run of a study ended with an error that it said itself."""

    def __init__(self, folder: Path, exit_code: int):
        super().__init__(f"{folder}: ended with exit code {exit_code}")
        self.exit_code = exit_code


def run_study(
    study: Study,
    out: str | os.PathLike[str],
    budget: Fraction = Fraction(1),
    data_dir: str | os.PathLike[str] | None = None,
    show: Callable[[list[PlannedRun]], None] = lambda _: None,
    engine: Engine = one_by_one,
    only: Sequence[str] = (),
) -> Path:
    """Runs what is missing.

    Every run is an ordinary run folder, `<out>/<name>/seed<seed>`, in a
    process of its own. A diverged run is a result and the others go on; any
    other error ends the study. The same call goes on after any
    interruption.

    Args:
        study: What to run.
        out: Folder of the study.
        budget: Share of the iterations; below 1 every number is a proxy's,
            and study.json says so.
        data_dir: The folder of prepared data sets; see `load_dataset`.
        show: Called with all runs whenever the status of one changed, and
            every ten minutes where the engine runs several at a time.
        engine: What runs them; one after the other by default.
        only: Names of the networks to run now; all by default.

    Returns:
        The folder of the study.

    Raises:
        StoppedError: A run was stopped by a signal, and saved.
        RunFailedError: A run ended with another error.
        SpecError: A spec is wrong, a folder holds another experiment, or the
            study has no network of a name in `only`, or one of them begins
            with another that is neither there nor finished.
        CannotWriteError: `out` holds files that are no study's.
    """
    folder = Path(out)
    labels = [run.label for run in study.runs]
    for name in only:
        if name not in labels:
            raise SpecError(
                f"--only: {study.name} has no network of this name. Allowed:"
                f" {', '.join(labels)}. Received: {name}"
            )
    planned = plan(study, budget, folder)
    refuse_other_folder(folder, study)
    state_of = {
        each.folder: _status(record)
        for each, record in zip(planned, read_records(planned), strict=True)
    }
    chosen = [each for each in planned if each.run.label in (only or labels)]
    for each in chosen:
        source = each.run.source
        if (
            each.source in state_of
            and source not in (only or labels)
            and state_of[each.source] != "finished"
        ):
            raise SpecError(
                f"--only: {each.run.label} begins with {source}, which is not"
                f" finished; add --only {source}"
            )
    write_plan(folder, study, budget, planned)
    missing = [each for each in chosen if state_of[each.folder] not in DONE]
    changed = _on_change(planned, show)
    with contextlib.closing(engine(missing, data_dir, changed)) as ended:
        for each, code in ended:
            if code == StoppedError.exit_code:
                raise StoppedError(
                    f"{folder}: stopped during {each.run.label}, seed"
                    f" {each.seed}, saved; the same command continues"
                )
            if code not in (0, DivergedError.exit_code):
                raise RunFailedError(each.folder, code)
    changed()
    return folder


def _on_change(
    planned: list[PlannedRun], show: Callable[[list[PlannedRun]], None]
) -> Callable[[], None]:
    shown: list[str] = []
    at = 0.0

    def changed():
        nonlocal shown, at
        states = list(map(_status, read_records(planned)))
        now = time.monotonic()
        if states != shown or now - at >= LONGEST_SILENCE:
            shown, at = states, now
            show(planned)

    return changed
