"""metrics.csv of a run, read and checked; training/logs writes it."""

import csv
import io
import math
from itertools import pairwise
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
        columns: Columns = {
            name: [
                None if row[name] == "" else float(row[name]) for row in rows
            ]
            for name in rows[0]
        }
        at = [-1, *(float(row["iteration"]) for row in rows)]
        if not all(a < b < math.inf for a, b in pairwise(at)):
            raise ValueError("iterations that do not rise")
        errors = columns["training_error"] + columns["validation_error"]
        if not all(each is None or 0 <= each <= 100 for each in errors):
            raise ValueError("an error is no percentage")
    except (KeyError, TypeError, ValueError) as error:
        raise BadDataError(
            f"{path}: not a table of numbers with the columns"
            f" {', '.join(NEEDED)}: iterations that rise, errors in percent"
        ) from error
    return columns


def iterations(metrics: Columns) -> list[float]:
    """The column of iterations, none of which is empty."""
    return [each for each in metrics["iteration"] if each is not None]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Returns the rows of a CSV file, of which there is at least one.

    Raises:
        InputMissingError: There is no such file, or it has no row yet.
        BadDataError: It is no CSV file.
    """
    try:
        with open_plain_file(path) as file:
            text = file.read().decode("utf-8")
        if text and not text.endswith("\n"):
            raise ValueError("its last row is cut")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except OSError as error:
        raise InputMissingError(f"{path}: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise BadDataError(f"{path}: not a table: {error}") from error
    if not rows:
        raise InputMissingError(f"{path}: has no row yet")
    return rows
