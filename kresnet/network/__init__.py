"""Networks of He et al. 2015 as Keras functional models."""

from kresnet.network.builder import PRECISIONS, build_model
from kresnet.network.pipeline import (
    adapt_transforms,
    build_transforms,
    inference_model,
    training_model,
)

__all__ = [
    "PRECISIONS",
    "adapt_transforms",
    "build_model",
    "build_transforms",
    "inference_model",
    "training_model",
]
