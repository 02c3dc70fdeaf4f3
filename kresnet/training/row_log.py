"""Measurements that are written to a CSV file of the run."""

from collections.abc import Sequence
from pathlib import Path

from kresnet.training.csv_log import CsvLog


class RowLog:
    """A CSV file that a checkpoint remembers the end of.

    Args:
        path: The file.
        columns: Names of its columns.
    """

    def __init__(self, path: Path, columns: Sequence[str]):
        self.log = CsvLog(path, columns)

    def write(self, rows: list[dict]) -> None:
        """Appends rows, dicts by column."""
        self.log.append(rows)

    def get_state(self) -> dict:
        """What the file holds."""
        return {"file": self.log.mark()}

    def set_state(self, state: dict) -> None:
        """Cuts the file back to what it was."""
        self.log.cut(state["file"])
