"""Finding the run folders that a report is asked for."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from kresnet.errors import InputMissingError


def find_runs(paths: Iterable[Path | str]) -> list[Path]:
    """The run folders that are named, or lie below the folders named.

    Raises:
        InputMissingError: A path does not exist, or has no run.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not os.path.isdir(path):  # whose name may be too long for one
            raise InputMissingError(f"{path}: there is no such folder")
        below = list(_runs_below(path))
        if not below:
            raise InputMissingError(
                f"{path}: no run folder here or below: none has a run.json"
            )
        for folder in below:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _runs_below(path: Path) -> Iterator[Path]:
    if (path / "run.json").exists():
        yield path
    else:
        yield from sorted(file.parent for file in path.rglob("run.json"))
