"""Measuring trained networks."""

from kresnet.evaluation.evaluate import Evaluation, evaluate
from kresnet.evaluation.re_estimation import re_estimate
from kresnet.evaluation.responses import responses, write_responses
from kresnet.evaluation.result_file import result_name, results_folder

__all__ = [
    "Evaluation",
    "evaluate",
    "re_estimate",
    "responses",
    "result_name",
    "results_folder",
    "write_responses",
]
