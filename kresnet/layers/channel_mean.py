"""Subtraction of the mean colour of the training images."""

import keras
from keras import KerasTensor, ops

from kresnet.layers.adapted import ColourLayer, mean_and_covariance, pixels


@keras.saving.register_keras_serializable(package="kresnet")
class ChannelMean(ColourLayer):
    """Subtracts from every channel its mean over the training set's pixels.

    One number a channel, where `PerPixelMean` has one a pixel. The result is a
    float of either sign, in the units of the images. The mean is zero, and the
    layer only converts to float, until it is adapted or its weight is loaded.

    Args:
        mean: Numbers to subtract, one a channel, in the place of the training
            set's; then the layer is not adapted. Defaults to `None`.

    Call arguments:
        images: Tensor of any number type, shape
            `(batch, height, width, channels)`, or one image without the batch.

    Returns:
        Tensor of the layer's compute dtype (float32), same shape as `images`.

    Reference:
        Simonyan, Zisserman 2014, section 2.1: "subtracting the mean RGB
        value".
    """

    def __init__(self, mean=None, **kwargs):
        super().__init__({"mean": mean}, **kwargs)

    def initial_weights(self, sizes):
        return {"mean": (sizes[-1:], self.initially("mean", "zeros"))}

    def statistics(self, batches):
        mean, _ = mean_and_covariance(pixels(batches))
        return {"mean": mean}

    def call(self, images: KerasTensor) -> KerasTensor:
        images = ops.cast(images, self.variable_dtype)
        return ops.cast(images - self.mean, self.compute_dtype)
