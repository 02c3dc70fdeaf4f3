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
    """Yields every run with its exit code; it calls `changed` before each.

    The exit code of a run that a signal killed is 128 + the signal's number.
    """
    for each in planned:
        changed()
        yield each, as_shell(run_child(command(each, data_dir)))


def command(
    planned: PlannedRun, data_dir: str | os.PathLike[str] | None = None
) -> list[str]:
    """The arguments of `kresnet` that train a run, or go on with it."""
    options = {
        "seed": planned.seed,
        "out": planned.folder,
        "data-dir": data_dir and Path(data_dir),
        "deepen" if planned.run.deepen else "begin-with": planned.source,
    }
    given = {name: x for name, x in options.items() if x is not None}
    return [
        *("train", str(planned.spec_file)),
        *(f"--{name}={value}" for name, value in given.items()),
        *(["--keep-transforms"] if planned.run.keep_transforms else []),
        *planned.run.arguments(),
    ]
