"""What layers that draw by a key an image share."""

import keras
import numpy as np
from keras import KerasTensor

from kresnet.layers.image_layer import ImageLayer, check_images, shape_of

if keras.backend.backend() == "tensorflow":
    from kresnet.layers.in_graph_tensorflow import equal_batches
else:

    def equal_batches(keys, images):
        """Other backends know every batch, and it was compared before."""
        return keys


class KeyedLayer(ImageLayer):
    """A layer that changes images at random, in training only.

    A subclass changes them in `draw`.
    """

    def __call__(self, images, keys, *args, **kwargs):
        """Checks images and keys and calls the layer."""
        shape = shape_of(images)
        check_images(shape, self.sizes)
        keys = _checked(keys, shape[0])
        return super().__call__(images, keys, *args, **kwargs)

    # `training` is not True by default: Keras would hand that default on to
    # the layers that follow in a model called without the argument.
    def call(
        self,
        images: KerasTensor,
        keys: KerasTensor,
        training: bool | None = None,
    ) -> KerasTensor:
        """Changes the images; see the class for arguments and result."""
        if training is not None and not training:
            return self.unchanged(images)
        if None in (images.shape[0], keys.shape[0]):
            keys = equal_batches(keys, images)
        return self.draw(images, keys)

    def draw(self, images: KerasTensor, keys: KerasTensor) -> KerasTensor:
        """The images changed at random, each by its own key."""
        raise NotImplementedError

    def unchanged(self, images: KerasTensor) -> KerasTensor:
        """What the layer returns outside of training."""
        return images

    def compute_output_shape(self, images_shape, keys_shape=None):
        """Returns the shape of the images."""
        return tuple(images_shape)


def _checked(keys, batch):
    """Keys as they are, or as uint32 where that may be needed.

    Raises:
        ValueError: They are no integers from 0 to 2**32 - 1, or not one for
            each image.
    """
    if not hasattr(keys, "shape") or not hasattr(keys, "dtype"):
        raise _refusal(f"keys of type {type(keys).__name__}")
    name = getattr(keys.dtype, "name", str(keys.dtype))
    if not name.removeprefix("u").startswith("int"):
        raise _refusal(f"keys.dtype={name}")
    shape = shape_of(keys)
    if shape is None or len(shape) != 1:
        raise _refusal(f"keys.shape={'unknown' if shape is None else shape}")
    if None not in (batch, shape[0]) and batch != shape[0]:
        raise _refusal(f"keys.shape={shape}, a batch of {batch} images")
    if name in ("uint8", "uint16", "uint32"):
        return keys
    try:
        values = np.asarray(keys)
    except (TypeError, ValueError, NotImplementedError):  # symbolic
        if name.endswith("64"):
            raise _refusal(
                f"keys.dtype={name}, whose values a graph cannot check: cast "
                "them to uint32"
            ) from None
        return keys
    if values.size and not 0 <= values.min() <= values.max() < 2**32:
        raise _refusal(f"keys from {values.min()} to {values.max()}")
    return values.astype("uint32")


def _refusal(received: str) -> ValueError:
    return ValueError(
        "`keys` must be an integer tensor of shape (batch,), one key from 0 to "
        f"2**32 - 1 for each image. Received: {received}"
    )
