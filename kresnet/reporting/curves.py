"""Curves over iterations: errors, losses, and families of networks."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kresnet.errors import KresnetError
from kresnet.figures import (
    CURVE_SIZE,
    DARK_GREY,
    GREY,
    ReportFigure,
    legend_below,
    network_handles,
    new_figure,
    palette_of,
    save_figure,
    set_title,
)
from kresnet.records.run import RecordedRun, read_recorded_run
from kresnet.reporting.groups import (
    Group,
    Notify,
    ReportedRuns,
    caption,
    is_proxy,
    named,
)
from kresnet.reporting.metrics import Columns, read_metrics
from kresnet.spec import Spec

LONG = 20_000  # iterations


def iteration_scale(spec: Spec) -> float:
    """What iterations are divided by.

    Long runs are on the axes of the paper's figure 6.
    """
    return 1e4 if spec.training.iterations >= LONG else 1


def finish_axes(
    axes: Axes, spec: Spec, title: str, ylabel: str, first: int = 0
) -> None:
    """Names the axes, and marks where the learning rate drops.

    Args:
        axes: What is drawn on, in iterations by `iteration_scale`.
        spec: One with the schedule.
        title: Above the axes.
        ylabel: Of the other axis.
        first: The iteration that the axis begins with.
    """
    scale = iteration_scale(spec)
    _mark_drops(axes, spec, scale)
    set_title(axes, title)
    axes.set(
        xlabel="iteration" if scale == 1 else "iteration (1e4)",
        ylabel=ylabel,
        xlim=(first / scale, spec.training.iterations / scale),
    )
    if scale == 1:
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)


def _mark_drops(axes: Axes, spec: Spec, scale: float) -> None:
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
        run.record.test_error,
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


def curve_figures(
    reported: ReportedRuns, notify: Notify
) -> Iterator[ReportFigure]:
    """A figure for every family: runs of one kind and one schedule."""
    for members in _families(reported):
        spec = members[0][0].spec
        curves, sentences = [], []
        for group, run in members:
            try:
                curve = _curve(group, run)
            except KresnetError as error:
                notify(str(error))
                continue
            curves.append(curve)
            sentences.append(_sentence(curve, run))
        title = _title(spec, curves)
        if curves:
            yield ReportFigure(
                "curves",
                title,
                caption(
                    "Training error is dashed, validation error solid; a"
                    " colour is a network, a line a run.",
                    _any_proxy(members),
                ),
                " ".join(sentences),
                learning_curves(spec, curves, title),
            )


def loss_figures(reported: ReportedRuns) -> Iterator[ReportFigure]:
    """The validation loss of every family after the first drop of the rate."""
    for members in _families(reported):
        spec = members[0][0].spec
        curves = []
        for group, run in members:
            try:
                metrics = read_metrics(run.folder)
            except KresnetError:
                continue  # said with the learning curves
            curve = loss_curve(group.spec, group.shown, metrics)
            if curve is not None:
                curves.append(curve)
        if curves:
            title = _title(spec, curves)
            found = [_lowest_and_last(curve) for curve in curves]
            yield ReportFigure(
                "losses",
                f"{title}, validation loss",
                caption(
                    "Cross-entropy on the validation images from the first"
                    " drop of the learning rate on; a colour is a network, a"
                    f" line a run. {'; '.join(found)}.",
                    _any_proxy(members),
                ),
                " ".join(f"{text}." for text in found),
                loss_curves(spec, curves, title),
            )


def _lowest_and_last(curve: LossCurve) -> str:
    iteration, lowest = curve.lowest
    return (
        f"{curve.label}: lowest {lowest:.4f} at iteration {iteration:,.0f},"
        f" {curve.last:.4f} at the last"
    )


def _families(
    reported: ReportedRuns,
) -> Iterable[list[tuple[Group, RecordedRun]]]:
    families: dict[tuple, list[tuple[Group, RecordedRun]]] = {}
    for group in reported.groups:
        for run in group.runs:
            families.setdefault(_family(group.spec), []).append((group, run))
    return families.values()


def _any_proxy(members: list[tuple[Group, RecordedRun]]) -> bool:
    return any(group.proxy for group, _ in members)


def _family(spec: Spec) -> tuple:
    blocks = {stage.block for stage in spec.model.stages}
    kind = "plain" if blocks == {"plain"} else "residual"
    rate, iterations = spec.training.learning_rate, spec.training.iterations
    return kind, spec.data.dataset, iterations, rate.at, rate.divide_by


def _title(spec: Spec, curves: Sequence[Curve | LossCurve]) -> str:
    kind, dataset, iterations, *_ = _family(spec)
    labels = {curve.label for curve in curves}
    several = f"{kind.capitalize()} networks"
    name = labels.pop() if len(labels) == 1 else several
    return f"{name} on {dataset}, {iterations:,} iterations"


def _curve(group: Group, run: RecordedRun) -> Curve:
    tested = run.record.test_error if run.finished else None
    return Curve(
        group.shown, read_metrics(run.folder), tested, not run.finished
    )


def _sentence(curve: Curve, run: RecordedRun) -> str:
    last = {name: column[-1] for name, column in curve.metrics.items()}
    numbers = [
        f"{name} {value:.2f} %"
        for name, value in (
            ("training", last["training_error"]),
            ("validation", last["validation_error"]),
            ("test", curve.test_error),
        )
        if value is not None
    ]
    early = ", not finished" if curve.unfinished else ""
    return (
        f"{curve.label}, seed {run.seed}{early}, at iteration"
        f" {last['iteration']:,.0f}: {', '.join(numbers)}."
    )
