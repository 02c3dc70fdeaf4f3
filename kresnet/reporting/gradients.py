"""Norms of the gradient, layer by layer and along the training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from kresnet.reporting.figures import Panel, layer_lines, stacked_panels
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

    @property
    def last_iteration(self) -> int:
        """The last iteration measured."""
        return next(reversed(self.norms))

    @property
    def last(self) -> list[float]:
        """At the last iteration measured, from input to output."""
        return list(self.norms[self.last_iteration].values())

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
    """Draws the norms by layer, first and last, and all along the training.

    Args:
        measured: Runs, in the order of the legend.
        title: Above the figure.
    """
    first = [each.first for each in measured]
    last = [each.last for each in measured]
    whole = [(list(each.norms), each.whole()) for each in measured]
    figure = stacked_panels(
        [
            Panel("layer, at the initial weights", layer_lines(first)),
            Panel("layer, at the last iteration measured", layer_lines(last)),
            Panel("iteration, all layers together", whole),
        ],
        [each.label for each in measured],
        "norm of the gradient",
        title,
    )
    for axes in figure.axes:
        axes.set_yscale("log")
    upper, middle, _ = figure.axes
    upper.sharey(middle)  # to be compared
    upper.autoscale()
    return figure
