"""Measuring trained networks."""

from kresnet.evaluation.evaluate import Evaluation, evaluate, measure
from kresnet.evaluation.result_file import (
    result_name,
    results_folder,
    write_result,
)
from kresnet.instruments import responses
from kresnet.trained.statistics import re_estimate

__all__ = [
    "Evaluation",
    "evaluate",
    "measure",
    "re_estimate",
    "responses",
    "result_name",
    "results_folder",
    "write_result",
]
