"""Colours of mean zero and standard deviation one."""

import keras
import numpy as np
from keras import KerasTensor, ops

from kresnet.layers.adapted import ColourLayer, mean_and_covariance, pixels


@keras.saving.register_keras_serializable(package="kresnet")
class ChannelStandardize(ColourLayer):
    """Subtracts every channel's mean and divides by its standard deviation.

    Both are taken over all pixels of the training set, the deviation divided
    by their number. The result has no units: rescaling the images before
    changes nothing. A channel that does not vary is not divided. Until the
    layer is adapted or its weights are loaded, the mean is zero, the deviation
    one, and the layer only converts to float.

    Args:
        mean: Numbers to subtract, one a channel, in the place of the training
            set's; then the layer is not adapted. Defaults to `None`.
        stddev: Numbers above 0 to divide by; given exactly if `mean` is.
            Defaults to `None`.

    Call arguments:
        images: Tensor of any number type, shape
            `(batch, height, width, channels)`, or one image without the batch.

    Returns:
        Tensor of the layer's compute dtype (float32), same shape as `images`.

    Reference:
        Gross, Wilber 2016, "Training and investigating Residual Nets", and
        most re-implementations since.
    """

    def __init__(self, mean=None, stddev=None, **kwargs):
        super().__init__({"mean": mean, "stddev": stddev}, **kwargs)
        if (mean is None) != (stddev is None):
            raise ValueError(
                "`mean` and `stddev` must be given together. Received:"
                f" mean={mean}, stddev={stddev}"
            )
        divisors = self.constants["stddev"]
        if divisors is not None and not (divisors > 0).all():
            raise ValueError(
                f"`stddev` must be above 0. Received: stddev={stddev}"
            )

    def initial_weights(self, sizes):
        shape = sizes[-1:]
        return {
            "mean": (shape, self.initially("mean", "zeros")),
            "deviation": (shape, self.initially("stddev", "ones")),
        }

    def statistics(self, batches):
        mean, covariance = mean_and_covariance(pixels(batches))
        deviation = np.sqrt(np.diag(covariance))
        return {
            "mean": mean,
            "deviation": np.where(deviation > 0, deviation, 1.0),
        }

    def call(self, images: KerasTensor) -> KerasTensor:
        images = ops.cast(images, self.variable_dtype)
        standardised = (images - self.mean) / self.deviation
        return ops.cast(standardised, self.compute_dtype)
