"""Validation losses over iterations, after the first drop of the rate."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from kresnet.figures import (
    CURVE_SIZE,
    ReportFigure,
    legend_below,
    network_handles,
    new_figure,
    palette_of,
)
from kresnet.records.metrics import Columns, iterations
from kresnet.reporting.curves import (
    Family,
    family_title,
    finish_axes,
    iteration_scale,
)
from kresnet.reporting.groups import caption
from kresnet.spec import Spec


@dataclass(frozen=True)
class LossCurve:
    """Validation losses of one run, after the first drop.

    Attributes:
        label: The network's name; runs that share it share a colour.
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
    """The losses at a lower rate; `None` where there are fewer than two."""
    drops = spec.training.learning_rate.at
    column = metrics.get("validation_loss", [])
    losses = {
        iteration: loss
        for iteration, loss in zip(iterations(metrics), column, strict=False)
        # The iteration of a drop was still trained at the rate before it.
        if drops and iteration > drops[0]
        if loss is not None and math.isfinite(loss)
    }
    return LossCurve(label, losses) if len(losses) > 1 else None


def loss_curves(spec: Spec, curves: Sequence[LossCurve], title: str) -> Figure:
    """The figure of runs that share a spec's schedule, a colour a network."""
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


def loss_figures(families: Sequence[Family]) -> Iterator[ReportFigure]:
    """The losses of every family after the first drop of the rate."""
    for family in families:
        curves, sentences = [], []
        for group, _, metrics in family:
            curve = loss_curve(group.spec, group.shown, metrics)
            if curve is None:
                continue
            curves.append(curve)
            at, lowest = curve.lowest
            sentences.append(
                f"{curve.label}: lowest {lowest:.4f} at iteration {at:,.0f},"
                f" {curve.last:.4f} at the last"
            )
        if not curves:
            continue
        spec = family[0][0].spec
        title = family_title(spec, [curve.label for curve in curves])
        yield ReportFigure(
            "losses",
            f"{title}, validation loss",
            caption(
                "Cross-entropy on the validation images from the first drop of"
                " the learning rate on; a colour is a network, a line a run."
                f" {'; '.join(sentences)}.",
                any(group.proxy for group, *_ in family),
            ),
            " ".join(f"{text}." for text in sentences),
            loss_curves(spec, curves, title),
        )
