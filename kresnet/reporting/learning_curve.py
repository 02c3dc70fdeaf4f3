"""Learning curves, as in the paper's figure 6."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kresnet.files import number
from kresnet.records.run import read_recorded_run
from kresnet.reporting.figures import (
    CURVE_SIZE,
    DARK_GREY,
    legend_below,
    network_handles,
    new_figure,
    palette_of,
    save_figure,
)
from kresnet.reporting.iteration_axis import LONG, finish_axes, iteration_scale
from kresnet.reporting.metrics_file import Columns, read_metrics
from kresnet.reporting.proxy import is_proxy, named
from kresnet.spec import Spec

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
        run.spec,
        read_metrics(run.folder),
        number(run.info.get("test_error")),
        named(run.spec.name, is_proxy(run)),
    )
    return save_figure(figure, run.folder / "curve.png")


def learning_curve(
    spec: Spec,
    metrics: Columns,
    test_error: float | None = None,
    name: str | None = None,
) -> Figure:
    """The figure of one run, from the columns of metrics.csv.

    It has the name of the spec unless it is given another.
    """
    name = name or spec.name
    return learning_curves(spec, [Curve(name, metrics, test_error)], name)


def learning_curves(spec: Spec, curves: Sequence[Curve], title: str) -> Figure:
    """The figure of any number of runs, one colour for each network.

    Args:
        spec: One with the schedule that the runs share.
        curves: The runs, in the order of the legend.
        title: Above the figure.
    """
    figure = new_figure(*CURVE_SIZE)
    axes = figure.subplots()
    scale = iteration_scale(spec)
    palette = palette_of([curve.label for curve in curves])
    for curve in curves:
        _draw(axes, curve, palette[curve.label], scale)
    finish_axes(axes, spec, title, "error (%)")
    highest = axes.dataLim.y1
    top = 1.05 * highest if 0 < highest < math.inf else 1
    axes.set_ylim(0, top)
    last = [curve.metrics["training_error"][-1] for curve in curves]
    last += [c.test_error for c in curves if c.test_error is not None]
    long = spec.training.iterations >= LONG
    if long and all(error is not None and error < TOP for error in last):
        axes.set_yticks(range(0, TOP + 1, 5))
        axes.set_ylim(top=TOP)
    legend_below(figure, _legend(curves, palette))
    return figure


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
