"""Measuring trained networks."""

from kresnet.evaluation.evaluate import Evaluation, evaluate, measure
from kresnet.evaluation.re_estimation import re_estimate
from kresnet.evaluation.responses import responses, write_responses
from kresnet.evaluation.result_file import (
    result_name,
    results_folder,
    write_result,
)

__all__ = [
    "Evaluation",
    "evaluate",
    "measure",
    "re_estimate",
    "responses",
    "result_name",
    "results_folder",
    "write_responses",
    "write_result",
]
