"""Replacing a small file in one step."""

import errno
import os
from pathlib import Path

from kresnet.errors import write_error


def check_file(path: Path) -> None:
    """Finds out whether `replace_file` could work, before hours of computing.

    Args:
        path: The file, which is left as it is.

    Raises:
        CannotWriteError: It is a folder, its folder is not there or read-only,
            its name is too long, and the like.
        DiskFullError: The disk is full.
    """
    own = _temporary(path)
    try:
        own.touch()
        own.unlink()
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise write_error(path, error) from error


def replace_file(path: Path, content: str | bytes) -> None:
    """Writes a file so that a reader sees the old or the new content, whole.

    Args:
        path: The file, new or to be replaced.
        content: Text, written as UTF-8, or bytes.

    Raises:
        OSError: The disk is full, the folder read-only, and the like; the old
            file is untouched.
    """
    if isinstance(content, str):
        content = content.encode("utf-8")
    own = _temporary(path)
    try:
        with own.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        own.replace(path)
    except BaseException:
        own.unlink(missing_ok=True)
        raise


def _temporary(path: Path) -> Path:
    return path.with_name(f".tmp-{path.name}")
