"""The iterations of a schedule as the axis of a figure."""

from matplotlib.axes import Axes

from kresnet.reporting.figures import DARK_GREY, GREY, set_title
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
