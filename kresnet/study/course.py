"""Running what is missing of a study."""

import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from kresnet.atomic_file import replace_file
from kresnet.errors import DivergedError, StoppedError, write_error
from kresnet.study.file import Study
from kresnet.study.plan import PlannedRun, plan, write_specs
from kresnet.study.process import train_in_process

# Nothing more will come of these: the same command would end the same way.
DONE = ("finished", "diverged")


class RunFailedError(RuntimeError):
    """A run of a study ended with an error that it said itself.

    Attributes:
        exit_code: The run's.
    """

    def __init__(self, folder: Path, exit_code: int):
        super().__init__(f"{folder}: ended with exit code {exit_code}")
        self.exit_code = exit_code


def run_study(
    study: Study,
    out: str | os.PathLike[str],
    budget: Fraction = Fraction(1),
    data_dir: str | os.PathLike[str] | None = None,
    show: Callable[[list[PlannedRun]], None] = lambda _: None,
) -> Path:
    """Runs what is missing, one run after the other.

    Every run is an ordinary run folder, `<out>/<name>/seed<seed>`, in a
    process of its own. A diverged run is a result and the next one follows;
    any other error ends the study. The same call goes on after any
    interruption.

    Args:
        study: What to run.
        out: Folder of the study.
        budget: Share of the iterations; below 1 every number is a proxy's,
            and study.json says so.
        data_dir: Where prepared data sets are; see `load_dataset`.
        show: Called with all runs before each of them and at the end.

    Returns:
        The folder of the study.

    Raises:
        StoppedError: A run was stopped by a signal, and saved.
        RunFailedError: A run ended with another error.
        SpecError: A spec is wrong, or a folder holds another experiment.
    """
    folder = Path(out)
    planned = plan(study, budget, folder)
    states = [each.info()["status"] for each in planned]
    write_specs(planned)
    _write_summary(folder, study, budget)
    for each, state in zip(planned, states, strict=True):
        if state in DONE:
            continue
        show(planned)
        code = train_in_process(each, data_dir)
        if code == StoppedError.exit_code:
            raise StoppedError(
                f"{folder}: stopped during {each.run.label}, seed {each.seed},"
                " saved; the same command continues"
            )
        if code not in (0, DivergedError.exit_code):
            raise RunFailedError(each.folder, code)
    show(planned)
    return folder


def _write_summary(folder: Path, study: Study, budget: Fraction) -> None:
    path = folder / "study.json"
    summary = {
        "name": study.name,
        "shows": study.shows,
        "budget": float(budget),
        "proxy": budget < 1,
        "runs": [run.model_dump(mode="json") for run in study.runs],
    }
    try:
        replace_file(path, json.dumps(summary, indent=2) + "\n")
    except OSError as error:
        raise write_error(path, error) from error
