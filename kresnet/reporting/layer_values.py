"""Files with one number for each layer, at several iterations."""

import math
from pathlib import Path

from kresnet.errors import BadDataError
from kresnet.reporting.metrics_file import read_rows

# By iteration, then by layer, both in the file's order.
LayerValues = dict[int, dict[str, float]]


def read_layer_values(path: Path, column: str) -> LayerValues:
    """Reads a CSV file with `iteration`, `layer` and a column of numbers.

    Raises:
        InputMissingError: There is no such file, or it has no row.
        BadDataError: It is not such a table, or a number is negative or not
            finite.
    """
    found: LayerValues = {}
    try:
        for row in read_rows(path):
            value = float(row[column])
            if not (math.isfinite(value) and value >= 0):
                raise ValueError
            found.setdefault(int(row["iteration"]), {})[row["layer"]] = value
    except (KeyError, TypeError, ValueError) as error:
        raise BadDataError(
            f"{path}: must be a table of iteration, layer and {column}, which"
            " is finite and not negative"
        ) from error
    return found
