"""Subtraction of the mean training image."""

import keras
import numpy as np
from keras import KerasTensor, ops

from kresnet.layers.adapted import AdaptedLayer


@keras.saving.register_keras_serializable(package="kresnet")
class PerPixelMean(AdaptedLayer):
    """Subtracts the mean image of the training set from every image.

    The result is a float of either sign, never a byte: a difference of bytes
    would wrap around. The mean is zero, and the layer only converts to float,
    until it is adapted or its weight is loaded.

    Call arguments:
        images: Tensor of any number type, shape
            `(batch, height, width, channels)`, or one image without the batch.

    Returns:
        Tensor of the layer's compute dtype (float32), same shape as `images`.

    Reference:
        He et al. 2015, section 4.2: "the per-pixel mean subtracted".
    """

    def initial_weights(self, sizes):
        return {"mean": (sizes, "zeros")}

    def statistics(self, batches):
        total, count = 0.0, 0
        for batch in batches:
            total = total + batch.sum(axis=0, dtype=np.float64)
            count += len(batch)
        return {"mean": total / count}

    def call(self, images: KerasTensor) -> KerasTensor:
        images = ops.cast(images, self.variable_dtype)
        return ops.cast(images - self.mean, self.compute_dtype)
