"""Reading metrics.csv."""

import csv
from pathlib import Path

from kresnet.errors import BadDataError, InputMissingError


def read_metrics(folder: Path) -> dict[str, list[float | None]]:
    """Returns the columns of a run's metrics.csv; empty cells are `None`.

    Raises:
        InputMissingError: The run has no row yet.
        BadDataError: It is not the table that kresnet writes.
    """
    path = Path(folder) / "metrics.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputMissingError(f"{path}: {error.strerror}") from error
    if not rows:
        raise InputMissingError(f"{path}: has no row yet")
    try:
        return {
            name: [float(row[name]) if row[name] else None for row in rows]
            for name in rows[0]
        }
    except (TypeError, ValueError) as error:
        raise BadDataError(f"{path}: not a table of numbers") from error
