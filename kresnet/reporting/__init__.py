"""Tables and figures of runs, beside the paper."""

from kresnet.reporting.confusion import confusion_figure
from kresnet.reporting.figures import save_figure
from kresnet.reporting.learning_curve import draw_learning_curve
from kresnet.reporting.summary import run_summary

__all__ = [
    "confusion_figure",
    "draw_learning_curve",
    "run_summary",
    "save_figure",
]
