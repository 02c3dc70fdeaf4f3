"""Replacing a small file in one step."""

import os
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old or the new text, whole.

    Raises:
        OSError: The disk is full, the folder read-only, and the like; the old
            file is untouched.
    """
    own = path.with_name(f".tmp-{path.name}")
    try:
        with own.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        own.replace(path)
    except BaseException:
        own.unlink(missing_ok=True)
        raise
