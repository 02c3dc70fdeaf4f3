"""Errors over iterations: of one run, and of the networks of a family."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kresnet.figures import (
    CURVE_SIZE,
    DARK_GREY,
    GREY,
    Colour,
    ReportFigure,
    legend_below,
    network_handles,
    new_figure,
    palette_of,
    save_figure,
    set_title,
)
from kresnet.records.metrics import Columns, iterations, read_metrics
from kresnet.records.run import RecordedRun, read_recorded_run
from kresnet.reporting.groups import (
    Group,
    Notify,
    ReportedRuns,
    caption,
    is_proxy,
    named,
    read_or_notify,
)
from kresnet.spec import Spec

LONG = 20_000  # iterations
TOP = 20  # percent, of the axes of the paper's figure 6


def iteration_scale(spec: Spec) -> float:
    """What iterations are divided by; long runs are on the paper's axes."""
    return 1e4 if spec.training.iterations >= LONG else 1


def finish_axes(
    axes: Axes, spec: Spec, title: str, ylabel: str, first: int = 0
) -> None:
    """Names axes from an iteration on; marks the drops of the learning rate."""
    rate, scale = spec.training.learning_rate, iteration_scale(spec)
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
    set_title(axes, title)
    axes.set(
        xlabel="iteration" if scale == 1 else "iteration (1e4)",
        ylabel=ylabel,
        xlim=(first / scale, spec.training.iterations / scale),
    )
    if scale == 1:
        axes.locator_params("x", integer=True)
    axes.grid(alpha=0.3)


@dataclass(frozen=True)
class Curve:
    """What is drawn of one run.

    Attributes:
        label: The network's name; runs that share it share a colour.
        metrics: Columns of metrics.csv.
        test_error: That of the last iteration, percent, if it is finished.
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
    name = named(run.spec.name, is_proxy(run))
    curve = Curve(name, read_metrics(run.folder), run.record.test_error)
    figure = learning_curves(run.spec, [curve], name)
    return save_figure(figure, run.folder / "curve.png")


def learning_curves(spec: Spec, curves: Sequence[Curve], title: str) -> Figure:
    """The figure of runs that share a spec's schedule, a colour a network."""
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


def _draw(axes: Axes, curve: Curve, colour: Colour, scale: float) -> None:
    places = [i / scale for i in iterations(curve.metrics)]
    # A line through one point is invisible.
    marker = "o" if len(places) == 1 else None
    for name, style in (("training", "--"), ("validation", "-")):
        errors = [
            math.nan if error is None else error
            for error in curve.metrics[f"{name}_error"]
        ]
        if all(map(math.isnan, errors)):
            continue
        axes.plot(
            places,
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
                places[-1:],
                errors[-1:],
                "x",
                color=colour,
                label=f"{curve.label}, not finished",
            )
    if curve.test_error is not None:
        axes.plot(
            places[-1:],
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


# Runs of one kind and one schedule, with the columns of metrics.csv.
Family = list[tuple[Group, RecordedRun, Columns]]


def read_families(reported: ReportedRuns, notify: Notify) -> list[Family]:
    """The runs whose metrics.csv can be read, by kind and schedule."""
    families: dict[tuple, Family] = {}
    for group, run in reported.members:
        metrics = read_or_notify(notify, read_metrics, run.folder)
        if metrics is not None:
            family = families.setdefault(_family(group.spec), [])
            family.append((group, run, metrics))
    return list(families.values())


def _family(spec: Spec) -> tuple:
    blocks = {stage.block for stage in spec.model.stages}
    kind = "plain" if blocks == {"plain"} else "residual"
    rate, iterations = spec.training.learning_rate, spec.training.iterations
    return kind, spec.data.dataset, iterations, rate.at, rate.divide_by


def family_title(spec: Spec, labels: list[str]) -> str:
    """Names a family, or its network where it has only one."""
    kind, dataset, iterations, *_ = _family(spec)
    several = f"{kind.capitalize()} networks"
    name = labels[0] if len(set(labels)) == 1 else several
    return f"{name} on {dataset}, {iterations:,} iterations"


def curve_figures(families: Sequence[Family]) -> Iterator[ReportFigure]:
    """The errors of every family."""
    for family in families:
        curves, sentences = [], []
        for group, run, metrics in family:
            tested = run.record.test_error if run.finished else None
            curve = Curve(group.shown, metrics, tested, not run.finished)
            curves.append(curve)
            sentences.append(_sentence(curve, run))
        spec = family[0][0].spec
        title = family_title(spec, [curve.label for curve in curves])
        yield ReportFigure(
            "curves",
            title,
            caption(
                "Training error is dashed, validation error solid; a colour is"
                " a network, a line a run.",
                any(group.proxy for group, *_ in family),
            ),
            " ".join(sentences),
            learning_curves(spec, curves, title),
        )


def _sentence(curve: Curve, run: RecordedRun) -> str:
    last = {name: column[-1] for name, column in curve.metrics.items()}
    errors = {
        "training": last["training_error"],
        "validation": last["validation_error"],
        "test": curve.test_error,
    }
    numbers = [f"{k} {v:.2f} %" for k, v in errors.items() if v is not None]
    early = ", not finished" if curve.unfinished else ""
    return (
        f"{curve.label}, seed {run.seed}{early}, at iteration"
        f" {last['iteration']:,.0f}: {', '.join(numbers)}."
    )
