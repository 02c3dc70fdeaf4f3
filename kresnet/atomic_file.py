"""Replacing a small file in one step."""

import os
from pathlib import Path


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
    own = path.with_name(f".tmp-{path.name}")
    try:
        with own.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        own.replace(path)
    except BaseException:
        own.unlink(missing_ok=True)
        raise
