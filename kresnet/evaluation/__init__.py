"""Measuring trained networks."""

from kresnet.evaluation.evaluate import evaluate, measure, result_path

__all__ = ["evaluate", "measure", "result_path"]
