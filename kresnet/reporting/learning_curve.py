"""The learning curve of a run, as in the paper's figure 6."""

from pathlib import Path

from matplotlib.figure import Figure

from kresnet.reporting.figures import (
    BLUE,
    GREY,
    ORANGE,
    new_figure,
    save_figure,
)
from kresnet.reporting.metrics_file import read_metrics
from kresnet.spec import Spec
from kresnet.training import read_run

LONG = 20_000  # iterations
TOP = 20  # percent


def draw_learning_curve(folder: Path) -> Path:
    """Draws `curve.png` into a run folder and returns its path.

    Training error (of the augmented batches since the row before) is dashed,
    validation error solid, both in percent; drops of the learning rate are
    marked.

    Raises:
        KresnetError: It is no run folder, has no row yet, or cannot be
            written.
    """
    run = read_run(folder)
    figure = learning_curve(
        run.spec, read_metrics(run.folder), run.info.get("test_error")
    )
    return save_figure(figure, run.folder / "curve.png")


def learning_curve(
    spec: Spec, metrics: dict[str, list], test_error: float | None = None
) -> Figure:
    """The figure, from the columns of metrics.csv."""
    figure = new_figure(6, 4)
    axes = figure.subplots()
    # Long runs on the axes of the paper's figure 6.
    long = spec.training.iterations >= LONG
    scale = 1e4 if long else 1
    iterations = [iteration / scale for iteration in metrics["iteration"]]
    axes.plot(
        iterations,
        metrics["training_error"],
        "--",
        color=BLUE,
        label="training",
    )
    if None not in metrics["validation_error"]:
        axes.plot(
            iterations,
            metrics["validation_error"],
            "-",
            color=ORANGE,
            label="validation",
        )
    if test_error is not None:
        axes.plot(
            iterations[-1:],
            [test_error],
            "o",
            color="black",
            clip_on=False,
            label=f"test, last iteration: {test_error:.2f} %",
        )
    drops = spec.training.learning_rate.at
    for boundary in (drop / scale for drop in drops):
        axes.axvline(boundary, color=GREY, linewidth=0.8, linestyle=":")
        axes.annotate(
            f"rate ÷ {spec.training.learning_rate.divide_by:g}",
            (boundary, 1),
            xycoords=("data", "axes fraction"),
            xytext=(2, -2),
            textcoords="offset points",
            rotation=90,
            va="top",
            fontsize=7,
            color="0.4",
        )
    axes.set(
        title=spec.name,
        xlabel="iteration (1e4)" if long else "iteration",
        ylabel="error (%)",
        xlim=(0, spec.training.iterations / scale),
    )
    axes.set_ylim(bottom=0)
    if long and metrics["training_error"][-1] < TOP:
        axes.set_ylim(top=TOP)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure
