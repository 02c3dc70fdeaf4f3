"""Tables and figures of runs, beside the paper. Nothing here needs Keras."""

from kresnet.reporting.confusion import draw_confusion
from kresnet.reporting.curves import draw_learning_curve
from kresnet.reporting.report import write_report
from kresnet.reporting.tables import evaluation_table, rows_table, run_summary

__all__ = [
    "draw_confusion",
    "draw_learning_curve",
    "evaluation_table",
    "rows_table",
    "run_summary",
    "write_report",
]
