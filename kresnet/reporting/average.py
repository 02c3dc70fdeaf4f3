"""Mean and standard deviation of repeated runs."""

import statistics
from collections.abc import Sequence

NOTHING = "–"  # in the place of a number


def mean_and_deviation(values: Sequence[float]) -> str:
    """Writes "28.07 ± 0.21", or one value alone.

    The standard deviation is that of a sample, with n - 1; of one value there
    is none.
    """
    if not values:
        return NOTHING
    mean = statistics.fmean(values)
    if len(values) == 1:
        return f"{mean:.2f}"
    return f"{mean:.2f} ± {statistics.stdev(values):.2f}"
