"""Finding the run folders that a report is asked for."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kresnet.errors import InputMissingError

# Told of a folder that could not be looked into, and why.
Unseen = Callable[[Path, str], object]


def find_runs(paths: Iterable[Path | str], unseen: Unseen) -> list[Path]:
    """The run folders that are named, or lie below the folders named.

    Symbolic links are followed; a run that several names lead to is found
    once.

    Args:
        paths: Folders.
        unseen: Told of links to nothing, and of folders that cannot be read.

    Raises:
        InputMissingError: A path does not exist, or has no run.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not os.path.isdir(path):  # whose name may be too long for one
            raise InputMissingError(f"{path}: there is no such folder")
        below = list(_runs_below(path, unseen))
        if not below:
            raise InputMissingError(
                f"{path}: no run folder here or below: none has a run.json"
            )
        for folder in below:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _runs_below(path: Path, unseen: Unseen) -> Iterator[Path]:
    if (path / "run.json").exists():
        yield path
        return
    yield from sorted(
        folder for folder, names in _walk(path, unseen) if "run.json" in names
    )


def _walk(top: Path, unseen: Unseen) -> Iterator[tuple[Path, list[str]]]:
    """Every folder once, with the names of its files.

    Links come after what is there itself, so that a run has its own name.
    """

    def failed(error: OSError):
        unseen(Path(error.filename), f"cannot be read: {error.strerror}")

    seen = set()
    for name, folders, files in os.walk(top, onerror=failed, followlinks=True):
        folder = Path(name)
        real = folder.resolve()
        if real in seen:
            folders.clear()  # a link back to where it comes from
            continue
        seen.add(real)
        folders.sort(key=lambda each: ((folder / each).is_symlink(), each))
        for path in [] if "run.json" in files else map(folder.joinpath, files):
            if path.is_symlink() and not path.exists():
                unseen(path, "a symbolic link to nothing")
        yield folder, files
