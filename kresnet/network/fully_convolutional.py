"""A network applied at every place of an image of any size.

Dense layers become convolutions, and the average over the last map a window
that slides over larger maps, so that an image has logits at several positions.

Reference:
    Simonyan, Zisserman 2014, section 3.2; He et al. 2015, section 3.4.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from kresnet.architecture import ModelSpec, walk
from kresnet.errors import SpecError
from kresnet.layers import ChannelMean, PerPixelMean, ZCAWhitening
from kresnet.network.build import Again, deep_recursion
from kresnet.network.parts import DATA_FORMAT
from kresnet.network.precision import full_precision, layer_precision


def fully_convolutional(network: keras.Model, spec: ModelSpec) -> keras.Model:
    """The layers of a network and their weights, on images of any size.

    It is one as `build_model` returns it for the spec, not rematerialised.

    Returns:
        A functional model from preprocessed images, float
        `(batch, height, width, channels)`, none smaller than `spec.input`, to
        logits `(batch, rows, columns, classes)`. An image of `spec.input` has
        one position, and there the logits of `network`.
    """
    channels = network.input_shape[-1]
    images = keras.Input((None, None, channels), dtype=network.input.dtype)
    with deep_recursion(spec), layer_precision():
        logits = walk(spec, images, _Everywhere(spec, network))
        return keras.Model(images, logits, name="fully_convolutional")


def transforms_of_any_size(
    transforms: Sequence[keras.layers.Layer],
) -> list[keras.layers.Layer]:
    """Transforms, with their statistics, for images of any size.

    In the place of a mean image stands its mean colour.

    Raises:
        SpecError: One of them is of one size only.
    """
    layers = list(transforms)
    for i, layer in enumerate(layers):
        if isinstance(layer, ZCAWhitening):
            raise SpecError(
                "data.transforms: zca_whitening mixes all pixels of an image of"
                " one size, so there is none for the images of a dense test"
            )
        if isinstance(layer, PerPixelMean):
            mean = np.asarray(ops.convert_to_numpy(layer.mean), "float64")
            colour = mean.mean(axis=(0, 1))
            with layer_precision():
                layers[i] = ChannelMean(colour, name="mean_colour")
    return layers


class _Everywhere(Again):
    """Calls a network's layers, the last ones as convolutions."""

    _window: tuple[int, int] = (1, 1)  # of a dense layer

    def average(self, x, name=""):
        if self.place.stage is not None:  # a block's own, over all of a map
            return super().average(x, name)
        return keras.layers.AveragePooling2D(
            self._map_before(name),
            strides=1,
            data_format=DATA_FORMAT,
            dtype=full_precision(),
        )(x)

    def flatten(self, x, name):
        if self.place.stage is not None:
            return super().flatten(x, name)
        self._window = self._map_before(name)
        return x

    def dense(self, x, width, name="", *, zeros=False):
        if self.place.stage is not None:
            return super().dense(x, width, name, zeros=zeros)
        return DenseEverywhere(self.layer_called(name), self._window)(x)

    def _map_before(self, name) -> tuple[int, int]:
        return self.layer_called(name).input.shape[1:3]


class DenseEverywhere(keras.layers.Layer):
    """A dense layer at each position of a map, as a convolution.

    Its weights are used, not copied. `window` is height and width of the maps
    that it was made for.
    """

    def __init__(self, dense: keras.layers.Dense, window: tuple[int, int]):
        super().__init__(dtype=dense.dtype_policy)
        self.dense = dense
        self.window = window

    def call(self, inputs):
        """Maps `(batch, height, width, channels)` to units at each position."""
        # Flattening goes by rows, columns and channels, as kernels do.
        shape = (*self.window, inputs.shape[-1], self.dense.units)
        kernel = ops.reshape(self.dense.kernel, shape)
        scores = ops.conv(
            inputs, kernel, padding="valid", data_format=DATA_FORMAT
        )
        return ops.add(scores, self.dense.bias)
