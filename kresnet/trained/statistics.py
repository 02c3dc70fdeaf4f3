"""Batch-norm statistics: those of training, or estimated anew."""

import keras
import numpy as np

from kresnet.data import Images, Order
from kresnet.errors import SpecError
from kresnet.layers import BatchNormalization
from kresnet.network import (
    all_variables,
    build_model,
    build_transforms,
    freeze,
    training_inputs,
    training_model,
)
from kresnet.records.checkpoints import Arrays
from kresnet.spec import Spec
from kresnet.trained.arrays import from_arrays


class InTraining(keras.layers.Layer):
    """Runs a network as in training, although `predict` says otherwise.

    Compiled as a model, it holds only a few layers' outputs at once.
    """

    def __init__(self, network: keras.Model):
        super().__init__(autocast=False)  # the network's layers cast
        self.network = network

    def call(self, images):
        """Maps what the network takes to logits."""
        return self.network(images, training=True)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the logits."""
        return self.network.compute_output_shape(input_shape)


def observer(network: keras.Model) -> keras.Model:
    """A model with the layers of a network, run as in training."""
    return keras.Model(network.input, InTraining(network)(network.input))


def re_estimate(
    spec: Spec, weights: Arrays, images: Images | np.ndarray
) -> tuple[Arrays, int]:
    """Returns weights with re-estimated statistics, and of how many images.

    The others stay as they are. The images go through the network as in
    training, shuffled, in groups of `images_per_statistic` (of a batch where
    that is the whole batch), each group normalised by its own statistics; every
    layer then gets the plain average over the groups of their means and of
    their (biased) variances, in float64. All layers are done in one pass.
    Images that do not fill a group are left out. Batch norm of frozen layers
    keeps the statistics that the rest was trained with.

    They are augmented as in training, always by the same draws: the weights
    were learned with the statistics of such images. With those of images as
    they are, ResNet-20's test error after its whole schedule was 0.7 points
    higher (results/README.md).

    Raises:
        ValueError: There are fewer images than a group holds.
        SpecError: The network has no batch norm, or all of it is frozen.

    Reference:
        Release notes of He et al. 2015: "the mean and variance are computed
        by average (not moving average) on a sufficiently large training
        batch after the training procedure".
    """
    batch_norm = spec.model.batch_norm
    if batch_norm is None:
        raise SpecError(
            f"{spec.name}: batch norm cannot be re-estimated: model.batch_norm"
            " is null"
        )
    group = batch_norm.images_per_statistic or spec.training.batch_size
    groups = len(images) // group
    if groups == 0:
        raise ValueError(
            f"`images` must fill a group of {group}. Received: {len(images)}"
        )
    # At momentum 0 the "moving averages" are those of the last group alone.
    forgetful = spec.model.model_copy(
        update={"batch_norm": batch_norm.model_copy(update={"momentum": 0.0})}
    )
    transforms = build_transforms(spec.data, spec.model.input)
    network = build_model(forgetful, 0)
    freeze(network, spec)
    observing = observer(training_model(transforms, network, spec.model))
    from_arrays(all_variables(transforms, network), weights)
    statistics = [
        variable
        for layer in network.layers
        if isinstance(layer, BatchNormalization) and layer.trainable
        for variable in (layer.moving_mean, layer.moving_variance)
    ]
    if not statistics:
        raise SpecError(
            f"{spec.name}: batch norm cannot be re-estimated: all of it is"
            f" frozen; trained is {', '.join(spec.training.trained or ())}"
        )
    sums = [np.zeros(variable.shape) for variable in statistics]
    order = Order(np.arange(len(images)), group, 0, spec.model.draws)
    for i in range(groups):
        indices, keys = order.batch(i)
        pixels = (
            images.drawn(indices, order.view_keys(i))
            if isinstance(images, Images)
            else images[indices]
        )
        inputs = training_inputs(pixels, keys)
        observing.predict_on_batch(inputs)
        for total, variable in zip(sums, statistics, strict=True):
            total += keras.ops.convert_to_numpy(variable.value)
    averages = {
        variable.path: (total / groups).astype(weights[variable.path].dtype)
        for total, variable in zip(sums, statistics, strict=True)
    }
    return weights | averages, groups * group
