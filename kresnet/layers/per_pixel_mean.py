"""Subtraction of the mean training image."""

import keras
import numpy as np
from keras import KerasTensor, ops

from kresnet.layers.adapting import Images, image_batches


@keras.saving.register_keras_serializable(package="kresnet")
class PerPixelMean(keras.layers.Layer):
    """Subtracts the mean image of the training set from every image.

    The result is a float of either sign, never a byte: a difference of bytes
    would wrap around. The mean is zero, and the layer only converts to float,
    until it is adapted or its weight is loaded.

    Call arguments:
        images: Tensor of any number type, shape
            `(batch, height, width, channels)`.

    Returns:
        Tensor of the layer's compute dtype (float32), same shape as `images`.

    Reference:
        He et al. 2015, section 4.2: "the per-pixel mean subtracted".
    """

    def build(self, images_shape):
        """Creates the weight `mean`, of the shape of one image."""
        shape = tuple(images_shape[1:])
        if len(shape) != 3 or None in shape:
            raise ValueError(
                "`images` must have shape (batch, height, width, channels), "
                "only the batch unknown. "
                f"Received: images.shape={tuple(images_shape)}"
            )
        self.mean = self.add_weight(
            name="mean",
            shape=shape,
            initializer="zeros",
            trainable=False,
            autocast=False,  # pixels reach 255: too coarse in float16
        )

    def adapt(self, data: Images) -> None:
        """Sets the mean to that of `data`, summed in float64.

        Args:
            data: Images of shape `(N, height, width, channels)`, or an
                iterable of such arrays. The training split, and only that.
        """
        total, count = 0.0, 0
        for batch in image_batches(data):
            total = total + batch.sum(axis=0, dtype=np.float64)
            count += len(batch)
        if not self.built:
            self.build((None, *total.shape))
            self.built = True
        self.mean.assign(total / count)

    def call(self, images: KerasTensor) -> KerasTensor:
        """Subtracts the mean; see the class for arguments and result."""
        images = ops.cast(images, self.variable_dtype)
        return ops.cast(images - self.mean, self.compute_dtype)

    def compute_output_shape(self, images_shape):
        """Returns the shape of the images."""
        return tuple(images_shape)
