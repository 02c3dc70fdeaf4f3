"""A spec compiled: transforms, network and optimiser as models for `fit`."""

import dataclasses

import keras

from kresnet.network import (
    build_model,
    build_transforms,
    inference_model,
    training_model,
)
from kresnet.spec import Spec
from kresnet.training.chunks import chunk_model_class
from kresnet.training.optimizer import CoupledSGD


@dataclasses.dataclass(frozen=True)
class Assembly:
    """The models of one run; they share their layers.

    Attributes:
        transforms: Layers of `data.transforms`, not adapted yet.
        model: Pixels and keys to logits, compiled; runs chunks of iterations.
        inference: Pixels to logits.
    """

    transforms: list[keras.layers.Layer]
    model: keras.Model
    inference: keras.Model


def assemble(
    spec: Spec,
    seed: int,
    precision: str = "float32",
    rematerialize: bool = False,
) -> Assembly:
    """Builds the models of a spec, with initial weights.

    Args:
        spec: What to build.
        seed: Of the initial weights.
        precision: See `build_model`.
        rematerialize: See `build_model`.

    Raises:
        SpecError: The Keras backend is neither TensorFlow nor JAX.
    """
    model_class = chunk_model_class()
    transforms = build_transforms(spec.data, spec.model.input)
    network = build_model(
        spec.model, seed, precision=precision, rematerialize=rematerialize
    )
    model = training_model(transforms, network, model_class)
    training = spec.training
    optimizer = CoupledSGD(
        training.learning_rate.start,
        training.momentum,
        training.weight_decay,
        training.decay_batch_norm,
        training.decay_biases,
        global_clipnorm=training.gradient_clip,
    )
    # XLA on a CPU takes three to four times as long in TensorFlow; JAX has
    # nothing else.
    model.compile(optimizer, jit_compile=keras.backend.backend() == "jax")
    optimizer.build(model.trainable_variables)
    return Assembly(transforms, model, inference_model(transforms, network))
