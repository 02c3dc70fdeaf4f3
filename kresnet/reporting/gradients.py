"""Norms of the gradient, layer by layer and along the training."""

import math
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
from kresnet.reporting.layer_values import LayerValues, read_layer_values

FILE = "gradients.csv"


@dataclass(frozen=True)
class Gradients:
    """Norms of the gradient of a run.

    Attributes:
        label: Of the network; runs that share it share a colour.
        norms: By iteration and layer.
    """

    label: str
    norms: LayerValues

    @property
    def first(self) -> list[float]:
        """At the first iteration measured, from input to output."""
        return list(next(iter(self.norms.values())).values())

    def whole(self) -> list[float]:
        """Of all kernels together, at each iteration measured."""
        return [math.hypot(*norms.values()) for norms in self.norms.values()]


def read_gradients(folder: Path, label: str) -> Gradients:
    """Reads a run's gradients.csv.

    Raises:
        InputMissingError: There is no such file, or it has no row.
        BadDataError: It is not a table of iteration, layer and norm.
    """
    return Gradients(label, read_layer_values(Path(folder) / FILE, "norm"))


def gradients_figure(measured: Sequence[Gradients], title: str) -> Figure:
    """Draws the norms by layer at the start, and the whole along the run.

    Args:
        measured: Runs, in the order of the legend.
        title: Above the figure.
    """
    figure = new_figure(*TWO_PANELS)
    upper, lower = figure.subplots(2, 1)
    labels = [each.label for each in measured]
    palette = palette_of(labels)
    for each in measured:
        style = {
            "color": palette[each.label],
            "linewidth": 1.2,
            "marker": "o",
            "markersize": 2,
        }
        upper.plot(range(1, len(each.first) + 1), each.first, **style)
        lower.plot(list(each.norms), each.whole(), **style)
    set_title(upper, title)
    upper.set(xlabel="layer, at the initial weights")
    lower.set(xlabel="iteration, all layers together")
    for axes in (upper, lower):
        axes.set(ylabel="norm of the gradient", yscale="log")
        axes.margins(x=0.02)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    legend_below(figure, network_handles(labels, palette))
    return figure
