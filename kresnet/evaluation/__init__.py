"""Measuring trained networks."""

from kresnet.evaluation.evaluate import Evaluation, evaluate, result_name
from kresnet.evaluation.re_estimation import re_estimate

__all__ = ["Evaluation", "evaluate", "re_estimate", "result_name"]
