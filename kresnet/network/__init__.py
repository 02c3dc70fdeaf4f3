"""Networks of He et al. 2015 as Keras functional models."""

from kresnet.network.build import (
    build_model,
    find_places,
    freeze,
    keyed_network,
)
from kresnet.network.fully_convolutional import (
    fully_convolutional,
    transforms_of_any_size,
)
from kresnet.network.parts import KerasParts
from kresnet.network.transforms import (
    adapt_transforms,
    all_variables,
    any_size_model,
    build_transforms,
    inference_layers,
    inference_model,
    training_inputs,
    training_model,
)

__all__ = [
    "KerasParts",
    "adapt_transforms",
    "all_variables",
    "any_size_model",
    "build_model",
    "build_transforms",
    "find_places",
    "freeze",
    "fully_convolutional",
    "inference_layers",
    "inference_model",
    "keyed_network",
    "training_inputs",
    "training_model",
    "transforms_of_any_size",
]
