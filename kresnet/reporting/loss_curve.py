"""The validation loss from the first drop of the learning rate on.

There it may rise while the validation error still falls.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from kresnet.reporting.figures import (
    CURVE_SIZE,
    legend_below,
    network_handles,
    new_figure,
    palette_of,
)
from kresnet.reporting.iteration_axis import finish_axes, iteration_scale
from kresnet.reporting.metrics_file import Columns
from kresnet.spec import Spec


@dataclass(frozen=True)
class LossCurve:
    """Validation losses of one run, after the first drop.

    Attributes:
        label: Of the network; runs that share it share a colour.
        losses: Mean cross-entropy by iteration.
    """

    label: str
    losses: dict[float, float]

    @property
    def lowest(self) -> tuple[float, float]:
        """The first iteration with the lowest loss, and that."""
        return min(self.losses.items(), key=lambda each: each[1])

    @property
    def last(self) -> float:
        """The loss at the last iteration."""
        return next(reversed(self.losses.values()))


def loss_curve(spec: Spec, label: str, metrics: Columns) -> LossCurve | None:
    """The rows of metrics.csv that were trained at a lower rate.

    The row of the iteration of a drop was still trained at the rate before it.

    Returns:
        `None` where the rate never drops, or fewer than two such rows have a
        validation loss.
    """
    drops = spec.training.learning_rate.at
    column = metrics.get("validation_loss", [])
    rows = zip(metrics["iteration"], column, strict=False)
    losses = {
        iteration: loss
        for iteration, loss in rows
        if drops
        and iteration > drops[0]
        and loss is not None
        and math.isfinite(loss)
    }
    return LossCurve(label, losses) if len(losses) > 1 else None


def loss_curves(spec: Spec, curves: Sequence[LossCurve], title: str) -> Figure:
    """Draws any number of runs, one colour for each network.

    Args:
        spec: One with the schedule that the runs share.
        curves: The runs, in the order of the legend.
        title: Above the figure.
    """
    figure = new_figure(*CURVE_SIZE)
    axes = figure.subplots()
    scale = iteration_scale(spec)
    labels = [curve.label for curve in curves]
    palette = palette_of(labels)
    for curve in curves:
        axes.plot(
            [iteration / scale for iteration in curve.losses],
            list(curve.losses.values()),
            color=palette[curve.label],
            linewidth=1.4,
            label=curve.label,
        )
    first = spec.training.learning_rate.at[0]
    finish_axes(axes, spec, title, "validation loss", first)
    legend_below(figure, network_handles(labels, palette))
    return figure
