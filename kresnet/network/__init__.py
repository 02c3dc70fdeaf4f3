"""Networks of He et al. 2015 as Keras functional models."""

from kresnet.network.builder import build_model
from kresnet.network.pipeline import (
    adapt_transforms,
    all_variables,
    build_transforms,
    inference_model,
    training_model,
)

__all__ = [
    "adapt_transforms",
    "all_variables",
    "build_model",
    "build_transforms",
    "inference_model",
    "training_model",
]
