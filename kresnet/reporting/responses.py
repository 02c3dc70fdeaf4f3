"""Layer responses, as in the paper's figure 7."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from kresnet.reporting.figures import Panel, layer_lines, stacked_panels
from kresnet.reporting.layer_values import read_layer_values

FILE = "responses.csv"


@dataclass(frozen=True)
class Responses:
    """Standard deviations of the responses of a network's layers.

    Attributes:
        label: Of the network; runs that share it share a colour.
        iteration: When they were taken.
        layers: The paper's names, from input to output.
        deviations: One for each layer.
    """

    label: str
    iteration: int
    layers: tuple[str, ...]
    deviations: tuple[float, ...]


def read_responses(folder: Path, label: str) -> Responses:
    """Reads the last iteration's rows of a run's responses.csv.

    Raises:
        InputMissingError: There is no such file, or it has no row.
        BadDataError: It is not a table of iteration, layer and std.
    """
    values = read_layer_values(Path(folder) / FILE, "std")
    last = max(values)
    return Responses(
        label, last, tuple(values[last]), tuple(values[last].values())
    )


def responses_figure(measured: Sequence[Responses], title: str) -> Figure:
    """Draws responses in the order of the layers, and sorted by magnitude.

    The axis starts at 0, as the paper's, unless the largest would flatten the
    others and none is 0: then it is logarithmic.

    Args:
        measured: Runs, in the order of the legend.
        title: Above the figure.
    """
    original = [each.deviations for each in measured]
    sorted_ones = [sorted(each, reverse=True) for each in original]
    figure = stacked_panels(
        [
            Panel("layer, in the order of the network", layer_lines(original)),
            Panel("layer, sorted by magnitude", layer_lines(sorted_ones)),
        ],
        [each.label for each in measured],
        "standard deviation",
        title,
    )
    values = [deviation for each in original for deviation in each] or [0]
    for axes in figure.axes:
        if _flattened(values):
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.08 * max(values) or 1)
    return figure


def _flattened(values: Sequence[float]) -> bool:
    """Whether a linear axis would show little but the largest values."""
    return min(values) > 0 and max(values) > 10 * statistics.median(values)
