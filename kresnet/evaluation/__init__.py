"""Measuring trained networks."""

from kresnet.evaluation.evaluate import Evaluation, evaluate, result_name
from kresnet.evaluation.re_estimation import re_estimate
from kresnet.evaluation.responses import responses, write_responses

__all__ = [
    "Evaluation",
    "evaluate",
    "re_estimate",
    "responses",
    "result_name",
    "write_responses",
]
