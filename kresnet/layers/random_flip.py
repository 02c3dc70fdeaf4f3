"""Random mirror images."""

import keras
from keras import KerasTensor, ops

from kresnet.layers.image_layer import NAMES, check_images, shape_of
from kresnet.layers.keyed import KeyedLayer, random_integers

# Stream of keyed_draws: arbitrary, different from every other layer's.
STREAM = 0x666C6970  # "flip"


@keras.saving.register_keras_serializable(package="kresnet")
class RandomFlip(KeyedLayer):
    """Mirrors every image left to right with probability 1/2.

    Call arguments:
        images: Tensor of any number type, shape
            `(batch, height, width, channels)`; only the batch may be unknown.
        keys: Integer tensor, shape `(batch,)`, from 0 to 2**32 - 1; the draws
            depend on it alone.
        training: Boolean. With `False`, as in `evaluate` and `predict`, images
            pass unchanged. Defaults to that of the enclosing model's call, and
            to random flips outside of one.

    Returns:
        Tensor of the dtype and shape of `images`.

    Reference:
        He et al. 2015, section 4.2: a crop "from the padded image or its
        horizontal flip".
    """

    def __init__(self, **kwargs):
        # Pixels are moved, not computed with: they keep their dtype.
        super().__init__(autocast=False, **kwargs)

    def draw(self, images, keys):
        check_images(shape_of(images), self.sizes, NAMES)
        _, height, width, channels = images.shape
        flip = ops.equal(random_integers(keys, STREAM, 2), 1)
        # Flat, because selecting among four axes takes three times as long.
        flat = (-1, height * width * channels)
        mirrored = ops.reshape(ops.flip(images, axis=2), flat)
        chosen = ops.where(flip[:, None], mirrored, ops.reshape(images, flat))
        return ops.reshape(chosen, (-1, height, width, channels))

    def compute_output_spec(self, images, keys, training=None):
        return KerasTensor(images.shape, dtype=images.dtype)
