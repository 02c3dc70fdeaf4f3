"""Batch-norm statistics: those of training, or estimated anew."""

from collections.abc import Iterator

import keras
import numpy as np

from kresnet.layers import BatchNormalization
from kresnet.network import (
    all_variables,
    build_model,
    build_transforms,
    inference_model,
)
from kresnet.trained.arrays import from_arrays
from kresnet.trained.run import Run


class InTraining(keras.layers.Layer):
    """Runs a network as in training, although `predict` says otherwise.

    As a model of its own, run by `predict_on_batch`, it is compiled: no more
    than a few layers' outputs are in memory at once.
    """

    def __init__(self, network: keras.Model):
        super().__init__(autocast=False)  # the network's layers cast
        self.network = network

    def call(self, images):
        """Images to logits."""
        return self.network(images, training=True)

    def compute_output_shape(self, input_shape):
        """The network's."""
        return self.network.compute_output_shape(input_shape)


def observer(network: keras.Model) -> keras.Model:
    """A model with the layers of a network, run as in training."""
    return keras.Model(network.input, InTraining(network)(network.input))


STATISTICS = ("moving_mean", "moving_variance")


def re_estimate(run: Run, images: np.ndarray) -> tuple[keras.Model, int]:
    """Returns the run's inference model with re-estimated statistics.

    The weights stay as they are. The images go through the network as in
    training, in groups of `images_per_statistic` (of a batch where that is the
    whole batch), each group normalised by its own statistics; every layer then
    gets the plain average over the groups of their means and of their (biased)
    variances, in float64. All layers are done in one pass. Images are not
    augmented, as the images to be classified are not; those that do not fill
    a group are left out.

    Args:
        run: A trained run.
        images: The training split, uint8 `(count, height, width, channels)`.

    Returns:
        Raw pixels to logits, and the number of images that were used.

    Raises:
        ValueError: There are fewer images than a group holds.

    Reference:
        Release notes of He et al. 2015: "the mean and variance are computed
        by average (not moving average) on a sufficiently large training
        batch after the training procedure".
    """
    training = run.spec.training
    batch_norm = run.spec.model.batch_norm
    group = batch_norm.images_per_statistic or training.batch_size
    groups = len(images) // group
    if groups == 0:
        raise ValueError(
            f"`images` must fill a group of {group}. Received: {len(images)}"
        )
    # At momentum 0 the "moving averages" are those of the last group alone.
    forgetful = run.spec.model.model_copy(
        update={"batch_norm": batch_norm.model_copy(update={"momentum": 0.0})}
    )
    transforms = build_transforms(run.spec.data, run.spec.model.input)
    network = build_model(forgetful, 0)
    observing = inference_model(transforms, observer(network))
    from_arrays(all_variables(transforms, network), run.checkpoint.weights)
    model = run.inference_model()

    sums = None
    for i in range(groups):
        observing.predict_on_batch(images[i * group : (i + 1) * group])
        found = [_array(v) for v in _statistics(network)]
        if sums is None:
            sums = [np.zeros_like(array) for array in found]
        for total, array in zip(sums, found, strict=True):
            total += array
    for variable, total in zip(
        _statistics(model.get_layer("network")), sums, strict=True
    ):
        variable.assign(total / groups)
    return model, groups * group


def _statistics(network: keras.Model) -> Iterator[keras.Variable]:
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            for name in STATISTICS:
                yield getattr(layer, name)


def _array(variable: keras.Variable) -> np.ndarray:
    value = keras.ops.convert_to_numpy(variable.value)
    return value.astype("float64")
