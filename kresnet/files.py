"""Small files: replaced in one step, and read whatever they hold."""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from kresnet.errors import SpecError, write_error


def cache_home() -> Path:
    """The folder of what is kept for other runs; it need not exist.

    Raises:
        OSError: The user has no home directory.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the specification says to ignore these
        try:
            base = Path.home() / ".cache"
        except RuntimeError as error:
            raise OSError(
                "there is no home directory; set XDG_CACHE_HOME"
            ) from error
    return base / "kresnet"


def check_file(path: Path) -> None:
    """Finds out whether `replace_file` could work, before hours of computing.

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
    """Writes a file, new or to be replaced, text as UTF-8.

    A reader sees the old or the new content, whole.

    Raises:
        CannotWriteError: The folder is read-only, gone, and the like.
        DiskFullError: The disk is full. The old file is untouched.
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
    except BaseException as error:
        with contextlib.suppress(OSError):
            own.unlink()
        if isinstance(error, OSError):
            raise write_error(path, error) from error
        raise


def refuse_empty_name(out: str | os.PathLike[str] | None) -> None:
    """Raises a SpecError for `--out ""`, which is no folder."""
    if out is not None and not os.fspath(out):
        raise SpecError('--out: must name a folder. Received: ""')


def make_folder(path: Path) -> None:
    """Makes a folder and those above it; errors as of `replace_file`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def visible_names(folder: Path) -> list[str]:
    """The names in a folder, sorted, but for those of hidden files."""
    return sorted(p.name for p in folder.iterdir() if p.name[0] != ".")


def _temporary(path: Path) -> Path:
    return path.with_name(f".tmp-{path.name}")


# Bytes; the largest that kresnet writes are some hundred thousand.
LARGEST = 2**26
# Levels of lists and mappings; kresnet's own files have half a dozen.
DEEPEST = 64
# Digits of an integer; for more Python takes long, or refuses them.
MOST_DIGITS = 1_000


def open_plain_file(path: Path) -> BufferedReader:
    """Opens a file for reading; a pipe is not waited for.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is a pipe or a device.
    """
    # Without O_NONBLOCK opening a pipe waits for its other end.
    file = open(path, "rb", opener=open_at_once)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError("not a file but a pipe or a device")
    return file


def read_json(path: Path) -> Any:
    """Reads a file of JSON that may hold anything.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not JSON, or none that kresnet writes: says why.
    """
    with open_plain_file(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"larger than {LARGEST // 2**20} MiB")
    try:
        value = json.loads(content.decode("utf-8"), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from error
    except RecursionError:
        raise _too_deep() from None
    _refuse_depth(value)
    return value


def open_at_once(path: str, flags: int) -> int:
    """An opener that waits for no other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _refuse_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return
    raise _too_deep()


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _too_deep() -> ValueError:
    return ValueError(f"nests deeper than {DEEPEST} levels")
