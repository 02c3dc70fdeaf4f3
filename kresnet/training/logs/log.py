"""Files of rows that survive a crash, cut back to the last checkpoint."""

import csv
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from kresnet.errors import BadDataError, write_error


class CsvLog:
    """Appends rows; every append is on the disk when it returns.

    A checkpoint keeps `mark()`; `cut(mark)` takes back what an interrupted
    run wrote after it.

    Args:
        path: The file, made with its header by the first append.
        columns: Names of the columns.
        check_lock: Called before each write; raises an error where the folder
            is another run's by now.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        check_lock: Callable[[], None] = lambda: None,
    ):
        self.path = path
        self.columns = columns
        self.check_lock = check_lock

    def append(self, rows: Iterable[dict]) -> None:
        """Writes rows, dicts by column; `None` is an empty cell.

        Raises:
            DiskFullError: They could not be written.
            CannotWriteError: The file is read-only, or its folder is gone.
        """
        self.check_lock()
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        try:
            if not self.path.exists() or not self.path.stat().st_size:
                writer.writeheader()
            writer.writerows(rows)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())  # a checkpoint will count on it
        except OSError as error:
            raise write_error(self.path, error) from error

    def mark(self) -> dict:
        """Length of the file in bytes and the SHA-256 sum of its content."""
        content = self._content()
        return {"length": len(content), "sha256": _sum(content)}

    def cut(self, mark: dict | None) -> None:
        """Takes the file back to an earlier mark; `None` empties it.

        Raises:
            BadDataError: What was there at the mark is not there any more.
            CannotWriteError: The file cannot be changed.
        """
        self.check_lock()
        length = mark["length"] if mark else 0
        try:
            content = self._content()
            if mark and _sum(content[:length]) != mark["sha256"]:
                raise BadDataError(
                    f"{self.path}: was changed since the checkpoint that the "
                    "run goes on from; put it back, or name another folder "
                    "with --out"
                )
            if len(content) > length:
                os.truncate(self.path, length)
        except OSError as error:
            raise write_error(self.path, error) from error

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class RowLog:
    """A CSV file that a checkpoint remembers the end of.

    Args:
        log: The file.
    """

    def __init__(self, log: CsvLog):
        self.log = log

    def write(self, rows: list[dict]) -> None:
        """Appends rows, dicts by column."""
        self.log.append(rows)

    def get_state(self) -> dict:
        """What the file holds."""
        return {"file": self.log.mark()}

    def set_state(self, state: dict) -> None:
        """Cuts the file back to what it was."""
        self.log.cut(state["file"])
