"""A CSV file that grows by rows and can be cut back to an earlier length."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from kresnet.errors import write_error


class CsvLog:
    """Appends rows; every append is on the disk when it returns.

    A checkpoint keeps `length()`; `cut(length)` takes back what an interrupted
    run wrote after it.

    Args:
        path: The file, made with its header by the first append.
        columns: Names of the columns.
    """

    def __init__(self, path: Path, columns: Sequence[str]):
        self.path = path
        self.columns = columns

    def append(self, rows: Iterable[dict]) -> None:
        """Writes rows, dicts by column; `None` is an empty cell.

        Raises:
            DiskFullError: They could not be written.
            CannotWriteError: The file is read-only, or its folder is gone.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        if not self.length():
            writer.writeheader()
        writer.writerows(rows)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())  # a checkpoint will count on it
        except OSError as error:
            raise write_error(self.path, error) from error

    def length(self) -> int:
        """Bytes in the file."""
        return self.path.stat().st_size if self.path.exists() else 0

    def cut(self, length: int) -> None:
        """Removes what is beyond `length` bytes."""
        if self.length() > length:
            os.truncate(self.path, length)
