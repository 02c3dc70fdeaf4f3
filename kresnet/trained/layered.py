"""A trained network whose layers can be built, not its logits alone."""

import dataclasses
import functools
from typing import Self

import keras
import numpy as np

from kresnet.data import Images
from kresnet.errors import SpecError
from kresnet.machine.surroundings import FLOATX
from kresnet.network import (
    all_variables,
    build_model,
    build_transforms,
    fully_convolutional,
    inference_model,
    transforms_of_any_size,
)
from kresnet.records.checkpoints import Arrays
from kresnet.trained.arrays import from_arrays
from kresnet.trained.measures import predict_logits
from kresnet.trained.statistics import re_estimate
from kresnet.trained.trained import Trained


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layered(Trained):
    """A run or an import: arrays, and the spec that they belong to.

    Attributes:
        weights: All arrays of transforms and network, by the path of the
            variable.
        lacks: Layers whose weights stand for none.

    Raises:
        SpecError: Keras' floatx is not that of the weights.
    """

    weights: Arrays = dataclasses.field(repr=False)
    lacks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        types = {str(array.dtype) for array in self.weights.values()}
        if types != {keras.config.floatx()}:
            raise SpecError(
                f"{self.folder}: was trained in {' and '.join(sorted(types))},"
                f" which must be {FLOATX}. Received: {keras.config.floatx()}"
            )

    def with_layers(self, use: str) -> Self:
        return self

    def layers(self) -> tuple[list[keras.layers.Layer], keras.Model]:
        """Builds transforms and network with the weights."""
        transforms = build_transforms(self.spec.data, self.spec.model.input)
        network = build_model(self.spec.model, 0)
        from_arrays(all_variables(transforms, network), self.weights)
        return transforms, network

    def inference_model(self) -> keras.Model:
        """Builds the model, uint8 pixels to logits, with the weights."""
        return inference_model(*self.layers())

    def model_of_any_size(self) -> keras.Model:
        """Builds the model, images of any size to logits at each position.

        See `kresnet.network.fully_convolutional`.

        Raises:
            SpecError: A transform is of one size only.
        """
        transforms, network = self.layers()
        return inference_model(
            transforms_of_any_size(transforms),
            fully_convolutional(network, self.spec.model),
        )

    @functools.cached_property
    def _model(self) -> keras.Model:
        return self.inference_model()

    def logits(self, pixels: Images | np.ndarray) -> np.ndarray:
        return predict_logits(self._model, pixels)

    def re_estimated(self, images: Images) -> Self:
        """A copy with batch-norm statistics of these training images."""
        weights, used = re_estimate(self.spec, self.weights, images)
        return dataclasses.replace(
            self,
            weights=weights,
            statistics=f"averages over {used:,} training images, augmented as"
            " in training, taken after it",
        )
