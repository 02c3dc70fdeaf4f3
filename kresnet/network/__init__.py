"""Networks of He et al. 2015 as Keras functional models."""

from kresnet.network.build import KerasParts, build_model, find_places
from kresnet.network.pipeline import (
    adapt_transforms,
    all_variables,
    build_transforms,
    inference_layers,
    inference_model,
    training_model,
)
from kresnet.network.precision import PRECISIONS

__all__ = [
    "PRECISIONS",
    "KerasParts",
    "adapt_transforms",
    "all_variables",
    "build_model",
    "build_transforms",
    "find_places",
    "inference_layers",
    "inference_model",
    "training_model",
]
