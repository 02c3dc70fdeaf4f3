"""Learning curves, as in the paper's figure 6."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kresnet.recorded_run import read_recorded_run
from kresnet.reporting.figures import (
    CURVE_SIZE,
    DARK_GREY,
    GREY,
    legend_below,
    network_handles,
    new_figure,
    palette_of,
    save_figure,
    set_title,
)
from kresnet.reporting.metrics_file import Columns, read_metrics
from kresnet.spec import Spec

LONG = 20_000  # iterations
TOP = 20  # percent


@dataclass(frozen=True)
class Curve:
    """What is drawn of one run.

    Attributes:
        label: Of the network; runs that share it share a colour.
        metrics: Columns of metrics.csv.
        test_error: Of the last iteration, percent, if the run is finished.
        unfinished: Whether the run is not done, stopped or diverged.
    """

    label: str
    metrics: Columns
    test_error: float | None = None
    unfinished: bool = False


def draw_learning_curve(folder: Path) -> Path:
    """Draws `curve.png` into a run folder and returns its path.

    Training error (of the augmented batches since the row before) is dashed,
    validation error solid, both in percent; drops of the learning rate are
    marked.

    Raises:
        KresnetError: It is no run folder, has no row yet, or cannot be
            written.
    """
    run = read_recorded_run(folder)
    figure = learning_curve(
        run.spec, read_metrics(run.folder), run.info.get("test_error")
    )
    return save_figure(figure, run.folder / "curve.png")


def learning_curve(
    spec: Spec, metrics: Columns, test_error: float | None = None
) -> Figure:
    """The figure of one run, from the columns of metrics.csv."""
    return learning_curves(
        spec, [Curve(spec.name, metrics, test_error)], spec.name
    )


def learning_curves(spec: Spec, curves: Sequence[Curve], title: str) -> Figure:
    """The figure of any number of runs, one colour for each network.

    Args:
        spec: One with the schedule that the runs share.
        curves: The runs, in the order of the legend.
        title: Above the figure.
    """
    figure = new_figure(*CURVE_SIZE)
    axes = figure.subplots()
    scale, xlabel = iteration_scale(spec)
    palette = palette_of([curve.label for curve in curves])
    for curve in curves:
        _draw(axes, curve, palette[curve.label], scale)
    mark_drops(axes, spec, scale)
    set_title(axes, title)
    axes.set(
        xlabel=xlabel,
        ylabel="error (%)",
        xlim=(0, spec.training.iterations / scale),
    )
    if scale == 1:
        axes.xaxis.get_major_locator().set_params(integer=True)
    highest = axes.dataLim.y1
    top = 1.05 * highest if 0 < highest < math.inf else 1
    axes.set_ylim(0, top)
    last = [curve.metrics["training_error"][-1] for curve in curves]
    last += [c.test_error for c in curves if c.test_error is not None]
    long = spec.training.iterations >= LONG
    if long and all(error is not None and error < TOP for error in last):
        axes.set_yticks(range(0, TOP + 1, 5))
        axes.set_ylim(top=TOP)
    axes.grid(alpha=0.3)
    legend_below(figure, _legend(curves, palette))
    return figure


def iteration_scale(spec: Spec) -> tuple[float, str]:
    """What iterations are divided by, and the name of the axis.

    Long runs are on the axes of the paper's figure 6.
    """
    if spec.training.iterations >= LONG:
        return 1e4, "iteration (1e4)"
    return 1, "iteration"


def _draw(axes: Axes, curve: Curve, colour, scale: float) -> None:
    iterations = [i / scale for i in curve.metrics["iteration"]]
    # A line through one point is invisible.
    marker = "o" if len(iterations) == 1 else None
    for name, style in (("training", "--"), ("validation", "-")):
        errors = [
            math.nan if error is None else error
            for error in curve.metrics[f"{name}_error"]
        ]
        if all(map(math.isnan, errors)):
            continue
        axes.plot(
            iterations,
            errors,
            style,
            color=colour,
            linewidth=1 if name == "training" else 1.4,
            marker=marker,
            markersize=4,
            clip_on=marker is None,
            fillstyle="none" if name == "training" else "full",
            label=f"{curve.label}, {name}",
        )
        if curve.unfinished:
            axes.plot(
                iterations[-1:],
                errors[-1:],
                "x",
                color=colour,
                label=f"{curve.label}, not finished",
            )
    if curve.test_error is not None:
        axes.plot(
            iterations[-1:],
            [curve.test_error],
            "D",
            color=colour,
            markersize=4.5,
            clip_on=False,
            zorder=3,
            label=f"{curve.label}, test",
        )


def mark_drops(axes: Axes, spec: Spec, scale: float) -> None:
    """Marks where the learning rate drops."""
    rate = spec.training.learning_rate
    for boundary in (drop / scale for drop in rate.at):
        axes.axvline(boundary, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(
            f"rate ÷ {rate.divide_by:g}",
            (boundary, 1),
            xycoords=("data", "axes fraction"),
            xytext=(2, -2),
            textcoords="offset points",
            rotation=90,
            va="top",
            fontsize=8,
            color=DARK_GREY,
        )


def _legend(curves: Sequence[Curve], palette: dict) -> list[Line2D]:
    """What dashes and marks mean, and, of several networks, the colours."""
    several = len(palette) > 1
    plain = DARK_GREY if several else next(iter(palette.values()))
    handles = [Line2D([], [], color=plain, ls="--", label="training")]
    if any(set(c.metrics["validation_error"]) - {None} for c in curves):
        handles.append(Line2D([], [], color=plain, label="validation"))
    tested = [c.test_error for c in curves if c.test_error is not None]
    if tested:
        text = "test, last iteration"
        if len(curves) == 1:
            text += f": {tested[0]:.2f} %"
        handles.append(
            Line2D([], [], color=plain, marker="D", ms=4.5, ls="", label=text)
        )
    if any(curve.unfinished for curve in curves):
        handles.append(
            Line2D([], [], color=plain, marker="x", ls="", label="not finished")
        )
    if len(curves) > 1:
        handles += network_handles([curve.label for curve in curves], palette)
    return handles
