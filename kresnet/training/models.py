"""The models of a run, their optimiser and their updates."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping

import keras
import numpy as np

from kresnet.callbacks import copy_weights, undistributed
from kresnet.data import Images, Source
from kresnet.data.feed import most_batches
from kresnet.network import (
    build_model,
    build_transforms,
    freeze,
    inference_model,
    training_model,
)
from kresnet.spec import Spec, TrainingSpec
from kresnet.trained import measures
from kresnet.trained.arrays import from_arrays
from kresnet.training.loop.loop import Steps
from kresnet.training.loop.optimizer import CoupledSGD


@dataclasses.dataclass(frozen=True)
class Models:
    """The models of one run.

    Attributes:
        transforms: Layers of `data.transforms`, not adapted yet.
        model: Pixels and keys to logits, with its optimiser.
        inference: Pixels to logits; shares the layers of `model`, or is a copy
            on one device where that is spread over several.
        inference_transforms: The transforms of `inference`.
    """

    transforms: list[keras.layers.Layer]
    model: keras.Model
    inference: keras.Model
    inference_transforms: list[keras.layers.Layer]

    def logits(
        self,
        images: Images | np.ndarray,
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Runs the inference model on uint8 images.

        The weights are arrays by path; `None` for those that the model has.
        The logits are float64, shape `(count, classes)`.
        """
        if weights is None:
            copy_weights(self.model, self.inference)
        else:
            variables = self.inference.variables
            from_arrays(variables, {v.path: weights[v.path] for v in variables})
        with undistributed():
            return measures.predict_logits(self.inference, images)

    def measure(
        self,
        split: str,
        images: Images,
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, float]:
        """Error (%) and loss of `logits`, such as `test_error`, `test_loss`."""
        logits = self.logits(images, weights)
        return {
            f"{split}_error": measures.error(logits, images.labels),
            f"{split}_loss": measures.cross_entropy(logits, images.labels),
        }


def make_models(
    spec: Spec,
    seed: int,
    precision: str,
    rematerialize: bool = False,
    scope: Callable[
        [], contextlib.AbstractContextManager
    ] = contextlib.nullcontext,
) -> Models:
    """Builds the models of a spec, with initial weights.

    For the other arguments see `build_model`; `scope`, the devices, is that of
    `kresnet.machine.place.place`.
    """

    def build():
        return build_transforms(spec.data, spec.model.input), build_model(
            spec.model, seed, precision=precision, rematerialize=rematerialize
        )

    with scope():
        transforms, network = build()
        freeze(network, spec)
        model = training_model(transforms, network, spec.model)
        _compile(model, spec.training)
    own = transforms, network
    if scope is not contextlib.nullcontext:
        own = build()
    return Models(transforms, model, inference_model(*own), own[0])


def _compile(model: keras.Model, training: TrainingSpec) -> None:
    optimizer = CoupledSGD(
        training.learning_rate.start,
        training.momentum,
        training.weight_decay,
        training.decay_batch_norm,
        training.decay_biases,
        nesterov=training.nesterov,
        global_clipnorm=training.gradient_clip,
    )
    model.compile(
        optimizer,
        # For Keras' own steps, which nothing uses.
        jit_compile=False,
        # Under a caller's mixed_float16 policy Keras would wrap the optimiser.
        auto_scale_loss=False,
    )
    optimizer.build(model.trainable_variables)


def make_steps(model: keras.Model, spec: Spec, source: Source) -> Steps:
    """The updates of a training model, on the current Keras backend."""
    steps: Steps
    batch_size = spec.training.batch_size
    if keras.backend.backend() == "jax":
        from kresnet.training.loop import steps_jax

        steps = steps_jax.Steps(model, source)
    else:
        from kresnet.training.loop import steps_tensorflow

        group = spec.model.images_per_statistic
        steps = steps_tensorflow.Steps(model, source, batch_size, group)
    if not source.in_memory:
        most = most_batches(source.input, batch_size)
        steps.capacity = min(steps.capacity, most)
    return steps
