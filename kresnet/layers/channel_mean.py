"""Subtraction of the mean colour of the training images."""

import keras
from keras import KerasTensor, ops

from kresnet.layers.adapting import (
    Images,
    image_batches,
    mean_and_covariance,
    pixels,
)


@keras.saving.register_keras_serializable(package="kresnet")
class ChannelMean(keras.layers.Layer):
    """Subtracts from every channel its mean over the training set's pixels.

    One number a channel, where `PerPixelMean` has one a pixel. The result is a
    float of either sign, in the units of the images. The mean is zero, and the
    layer only converts to float, until it is adapted or its weight is loaded.

    Call arguments:
        images: Tensor of any number type, shape
            `(batch, height, width, channels)`.

    Returns:
        Tensor of the layer's compute dtype (float32), same shape as `images`.

    Reference:
        Simonyan, Zisserman 2014, section 2.1: "subtracting the mean RGB
        value".
    """

    def build(self, images_shape):
        """Creates the weight `mean`, one number a channel."""
        self.mean = self.add_weight(
            name="mean",
            shape=(images_shape[-1],),
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
        mean, _ = mean_and_covariance(pixels(image_batches(data)))
        if not self.built:
            self.build((None, None, None, len(mean)))
        self.mean.assign(mean)

    def call(self, images: KerasTensor) -> KerasTensor:
        """Subtracts the mean; see the class for arguments and result."""
        images = ops.cast(images, self.variable_dtype)
        return ops.cast(images - self.mean, self.compute_dtype)

    def compute_output_shape(self, images_shape):
        """Returns the shape of the images."""
        return tuple(images_shape)
