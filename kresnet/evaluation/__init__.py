"""Measuring trained networks."""

from kresnet.evaluation.evaluate import evaluate, measure, result_path
from kresnet.instruments import responses
from kresnet.records.evaluation import Evaluation, write_evaluation
from kresnet.trained.statistics import re_estimate

__all__ = [
    "Evaluation",
    "evaluate",
    "measure",
    "re_estimate",
    "responses",
    "result_path",
    "write_evaluation",
]
