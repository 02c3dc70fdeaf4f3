"""The runs of a study, one after the other, each as a process of its own."""

import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from kresnet.machine.children import as_shell, run_child
from kresnet.study.plan import PlannedRun


def one_by_one(
    planned: Sequence[PlannedRun],
    data_dir: str | os.PathLike[str] | None,
    changed: Callable[[], None],
) -> Generator[tuple[PlannedRun, int], None, None]:
    """Yields every run with its exit code.

    Args:
        planned: What to run.
        data_dir: Where prepared data sets are; see `load_dataset`.
        changed: Called before each run.
    """
    for each in planned:
        changed()
        yield each, train_in_process(each, data_dir)


def train_in_process(
    planned: PlannedRun, data_dir: str | os.PathLike[str] | None
) -> int:
    """Runs `kresnet train`, which continues what was begun.

    Returns:
        The exit code of the run; of a signal that killed it, 128 + its number.
    """
    return as_shell(run_child(command(planned, data_dir)))


def command(
    planned: PlannedRun, data_dir: str | os.PathLike[str] | None = None
) -> list[str]:
    """The arguments of `kresnet` that train one run of a study."""
    options = {
        "seed": planned.seed,
        "out": planned.folder,
        "data-dir": data_dir and Path(data_dir),
        "deepen": planned.source,
    }
    return [
        *("train", str(planned.spec_file)),
        *(
            f"--{name}={value}"
            for name, value in options.items()
            if value is not None
        ),
        *planned.run.arguments(),
    ]
