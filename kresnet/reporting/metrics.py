"""Reading metrics.csv."""

import csv
import io
from pathlib import Path

from kresnet.errors import BadDataError, InputMissingError
from kresnet.files import open_plain_file

Columns = dict[str, list[float | None]]

# What the figures and tables need.
NEEDED = ("iteration", "training_error", "validation_error")


def read_metrics(folder: Path) -> Columns:
    """Returns the columns of a run's metrics.csv; empty cells are `None`.

    Raises:
        InputMissingError: The run has no row yet.
        BadDataError: It is not the table that kresnet writes.
    """
    path = Path(folder) / "metrics.csv"
    rows = read_rows(path)
    try:
        columns = {
            name: [float(row[name]) if row[name] else None for row in rows]
            for name in rows[0]
        }
        if None in columns["iteration"] or not columns.keys() >= set(NEEDED):
            raise ValueError("a column is missing")
    except (KeyError, TypeError, ValueError) as error:
        raise BadDataError(
            f"{path}: not a table of numbers with the columns"
            f" {', '.join(NEEDED)}"
        ) from error
    return columns


def read_rows(path: Path) -> list[dict[str, str]]:
    """Returns the rows of a CSV file, of which there is at least one.

    Raises:
        InputMissingError: There is no such file, or it has no row yet.
        BadDataError: It is no CSV file.
    """
    try:
        with open_plain_file(path) as file:
            text = io.TextIOWrapper(file, "utf-8", newline="")
            rows = list(csv.DictReader(text))
    except OSError as error:
        raise InputMissingError(f"{path}: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise BadDataError(f"{path}: not a table: {error}") from error
    if not rows:
        raise InputMissingError(f"{path}: has no row yet")
    return rows
