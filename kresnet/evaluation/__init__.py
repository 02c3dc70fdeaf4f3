"""Measuring trained networks."""

from kresnet.evaluation.ensemble import (
    ensemble_path,
    evaluate_ensemble,
    measure_ensemble,
    open_members,
)
from kresnet.evaluation.evaluate import Choices, evaluate, measure, result_path
from kresnet.evaluation.views import View

__all__ = [
    "Choices",
    "View",
    "ensemble_path",
    "evaluate",
    "evaluate_ensemble",
    "measure",
    "measure_ensemble",
    "open_members",
    "result_path",
]
