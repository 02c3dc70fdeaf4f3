"""Networks of He et al. 2015 as Keras functional models."""

from kresnet.network.builder import build_model
from kresnet.network.pipeline import (
    adapt_transforms,
    all_variables,
    build_transforms,
    inference_layers,
    inference_model,
    training_model,
)
from kresnet.network.precision import PRECISIONS
from kresnet.network.responses import block_branches, layer_responses

__all__ = [
    "PRECISIONS",
    "adapt_transforms",
    "all_variables",
    "block_branches",
    "build_model",
    "build_transforms",
    "inference_layers",
    "inference_model",
    "layer_responses",
    "training_model",
]
