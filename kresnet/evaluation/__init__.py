"""Measuring trained networks."""

from kresnet.evaluation.evaluate import Evaluation, evaluate, measure
from kresnet.evaluation.result_file import result_path, write_result
from kresnet.instruments.responses import responses, write_responses
from kresnet.trained.statistics import re_estimate

__all__ = [
    "Evaluation",
    "evaluate",
    "measure",
    "re_estimate",
    "responses",
    "result_path",
    "write_responses",
    "write_result",
]
