"""Random crops of zero-padded images."""

import keras
import numpy as np
from keras import KerasTensor, ops

from kresnet.callbacks.arguments import check_integer
from kresnet.layers.image_layer import NAMES, check_images, shape_of
from kresnet.layers.keyed import KeyedLayer, random_integers

# Streams of keyed_draws: arbitrary, different from every other layer's.
ROW_STREAM = 0x63726F79  # "croy"
COLUMN_STREAM = 0x63726F78  # "crox"


@keras.saving.register_keras_serializable(package="kresnet")
class RandomCrop(KeyedLayer):
    """Pads images with zeros and crops them back at random offsets.

    Every image gets its own offset, one of (2 * padding + 1)² equally likely
    ones, from its key. Zeros are the mean colour where the mean has been
    subtracted before.

    Args:
        padding: Integer from 0 to 32,767, pixels added on each side.

    Call arguments:
        images: Tensor of any number type, shape
            `(batch, height, width, channels)`; only the batch may be unknown.
        keys: Integer tensor, shape `(batch,)`, from 0 to 2**32 - 1; the draws
            depend on it alone.
        training: Boolean. With `False`, as in `evaluate` and `predict`, images
            pass unchanged. Defaults to that of the enclosing model's call, and
            to random crops outside of one.

    Returns:
        Tensor of the dtype and shape of `images`.

    Reference:
        He et al. 2015, section 4.2: "4 pixels are padded on each side, and a
        32×32 crop is randomly sampled".
    """

    def __init__(self, padding: int, **kwargs):
        # Pixels are moved, not computed with: they keep their dtype.
        super().__init__(autocast=False, **kwargs)
        self.padding = check_integer("padding", padding, 0, 2**15 - 1)

    def draw(self, images, keys):
        check_images(shape_of(images), self.sizes, NAMES)
        batch, height, width, channels = images.shape
        if batch == 0:  # of no pixels Keras' `take` on JAX loses the shape
            return images
        padding = self.padding
        sides = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
        offsets = 2 * padding + 1
        tops = random_integers(keys, ROW_STREAM, offsets)
        lefts = random_integers(keys, COLUMN_STREAM, offsets)
        # One gather from the list of all pixels of the padded batch. It needs
        # half the time of a gather of rows followed by shifts of columns.
        pixels = ops.reshape(ops.pad(images, sides), (-1, channels))
        full_height, full_width = height + 2 * padding, width + 2 * padding
        starts = ops.arange(ops.shape(images)[0], dtype="int32") * full_height
        rows = (starts + tops)[:, None] + np.arange(height, dtype="int32")
        rows = rows * full_width + lefts[:, None]
        places = rows[:, :, None] + np.arange(width, dtype="int32")
        return ops.take(pixels, places, axis=0)

    def compute_output_spec(self, images, keys, training=None):
        return KerasTensor(images.shape, dtype=images.dtype)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}
