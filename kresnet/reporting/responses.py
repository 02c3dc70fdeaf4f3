"""Layer responses, as in the paper's figure 7."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from kresnet.reporting.figures import (
    TWO_PANELS,
    legend_below,
    network_handles,
    new_figure,
    palette_of,
    set_title,
)
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

    Args:
        measured: Runs, in the order of the legend.
        title: Above the figure.
    """
    figure = new_figure(*TWO_PANELS)
    upper, lower = figure.subplots(2, 1)
    labels = [each.label for each in measured]
    palette = palette_of(labels)
    for each in measured:
        panels = (
            (upper, list(each.deviations)),
            (lower, sorted(each.deviations, reverse=True)),
        )
        for axes, values in panels:
            axes.plot(
                range(1, len(values) + 1),
                values,
                color=palette[each.label],
                linewidth=1.2,
                marker="o",
                markersize=4 if len(values) == 1 else 2,
            )
    set_title(upper, title)
    upper.set(xlabel="layer, in the order of the network")
    lower.set(xlabel="layer, sorted by magnitude")
    highest = max((max(each.deviations) for each in measured), default=0)
    for axes in (upper, lower):
        axes.set(ylabel="standard deviation", ylim=(0, 1.08 * highest or 1))
        axes.margins(x=0.02)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    legend_below(figure, network_handles(labels, palette))
    return figure
