"""A folder of files that is there whole and unchanged, or not at all.

The files are written to a temporary folder beside it, synced, and the folder is
renamed: a process killed at any point leaves the old state. `manifest.json`
holds the SHA-256 sum of every file and of itself, so that a flipped bit is
found. Temporary names start with `.tmp-`.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kresnet.files import open_plain_file, read_json

MANIFEST = "manifest.json"
TEMPORARY = ".tmp-"


class DamagedError(ValueError):
    """A sealed folder is incomplete or not what was written."""


@contextlib.contextmanager
def create(folder: Path, content: dict) -> Iterator[Path]:
    """Seals what is written inside the `with`; on an error nothing is left.

    Args:
        folder: Must not exist; its parent must.
        content: JSON values to keep in the manifest; may be filled inside the
            `with`.

    Yields:
        A temporary folder to write files and folders to.

    Raises:
        OSError: The disk is full, the parent read-only, and the like; also if
            `folder` exists and is not empty.
    """
    own = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent))
    try:
        yield own
        sums = {}
        for path in sorted(own.rglob("*")):
            if path.is_file():
                sums[path.relative_to(own).as_posix()] = _synced_sum(path)
        manifest: dict[str, object] = {"content": content, "files": sums}
        manifest["sha256"] = _sum_of_json(manifest)
        path = own / MANIFEST
        path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        _synced_sum(path)
        for path in own.rglob("*"):
            if path.is_dir():
                sync_folder(path)
        own.chmod(0o755)  # mkdtemp keeps others out
        sync_folder(own)
        own.rename(folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(own, ignore_errors=True)
        raise


def verify(folder: Path, *, growing: bool = False) -> dict:
    """Checks every file against its sum and returns the manifest's content.

    To a `growing` folder files may have been added.

    Raises:
        DamagedError: Something is missing, added or changed; says what.
        PermissionError: A file may not be read; it may well be sound.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest["files"].items():
        with _damage(folder / name), open_plain_file(folder / name) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise DamagedError(f"{folder / name}: its SHA-256 sum is wrong")
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        hidden = path.name.startswith(".")  # left behind by file managers
        known = name == MANIFEST or name in manifest["files"]
        if not (known or hidden or growing or path.is_dir()):
            raise DamagedError(f"{path}: was not there when it was sealed")
    return manifest["content"]


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_manifest(folder: Path) -> dict:
    """What a folder was sealed with: `content`, and the sums of `files`.

    Raises:
        DamagedError: It is missing, or not what was written.
        PermissionError: It may not be read.
    """
    path = folder / MANIFEST
    try:
        with _damage(path, "not a manifest"):
            manifest = read_json(path)
        own_sum = manifest.pop("sha256")
        is_whole = (
            manifest.keys() == {"content", "files"}
            and isinstance(manifest["content"], dict)
            and isinstance(manifest["files"], dict)
        )
    except (KeyError, AttributeError, TypeError):
        raise DamagedError(f"{path}: not a manifest") from None
    if not is_whole or _sum_of_json(manifest) != own_sum:
        raise DamagedError(f"{path}: its SHA-256 sum is wrong")
    return manifest


@contextlib.contextmanager
def _damage(path: Path, wrong: str | None = None) -> Iterator[None]:
    """Names what keeps a file from being read, or says what is `wrong`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise DamagedError(f"{path}: missing") from None
    except PermissionError:
        raise
    except OSError as error:  # a folder, or a disk that fails
        raise DamagedError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # a pipe, or no JSON
        raise DamagedError(f"{path}: {wrong or error}") from error


def _synced_sum(path: Path) -> str:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sum_of_json(value: dict) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
