"""Whitening that keeps images images."""

import itertools
import math

import keras
import numpy as np
from keras import KerasTensor, ops

from kresnet.callbacks.arguments import check_number
from kresnet.layers.adapted import AdaptedLayer, mean_and_covariance

# Values in an image, d. Whitening stores d × d numbers and adapts in d³ steps:
# 8,192 take 0.27 GB in float32, and some ten minutes on one core.
LARGEST = 8_192


@keras.saving.register_keras_serializable(package="kresnet")
class ZCAWhitening(AdaptedLayer):
    """Makes the values of an image uncorrelated and of equal variance.

    With the covariance of the training images, taken as vectors of
    `d = height * width * channels` values, `C = E diag(λ) Eᵀ`, an image `x`
    becomes `W (x - mean)`, `W = E diag((λ + epsilon)^(-1/2)) Eᵀ`. Of all
    matrices that whiten, this symmetric one changes images least: they still
    look like images, with their edges enhanced.

    The whitened training images have variance `λ / (λ + epsilon)` along each
    eigenvector, and no covariance between them. `epsilon` has the squared
    units of the images: variances far above it become one, those far below are
    amplified by `epsilon^(-1/2)` at most. It must be positive, since with no
    more than d images some variances are zero, and finer ones are noise.

    The matrix has d² numbers, which are saved with the model and are no
    parameters of it: 9.4 million for 32×32×3, 38 MB in float32. An image costs
    as many multiply-adds. Until the layer is adapted or its weights are loaded
    it only converts to float.

    Args:
        epsilon: Positive float, added to the variances.

    Call arguments:
        images: Tensor of any number type, shape
            `(batch, height, width, channels)`, or one image without the batch.

    Returns:
        Tensor of the layer's compute dtype (float32), same shape as `images`.

    Reference:
        Bell, Sejnowski 1997, "The 'independent components' of natural scenes
        are edge filters"; Krizhevsky 2009, appendix.
    """

    def __init__(self, epsilon: float, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = check_number("epsilon", epsilon, above=0)

    def adapted_sizes(self, sizes):
        sizes = super().adapted_sizes(sizes)
        size = math.prod(sizes)
        if size > LARGEST:
            raise ValueError(
                f"`images` must have at most {LARGEST:,} values each, since "
                "their covariance has as many rows and columns. "
                f"Received: {' × '.join(map(str, sizes))} = {size:,} values"
            )
        return sizes

    def initial_weights(self, sizes):
        size = math.prod(sizes)
        return {"mean": (sizes, "zeros"), "matrix": ((size, size), "identity")}

    def statistics(self, batches):
        first = next(batches)
        rows = (
            batch.reshape(len(batch), -1)
            for batch in itertools.chain([first], batches)
        )
        mean, covariance = mean_and_covariance(rows)
        variances, axes = np.linalg.eigh(covariance)
        variances = np.maximum(variances, 0.0)  # rounding: -1e-17 and the like
        self._check_precision(variances)
        gains = (variances + self.epsilon) ** -0.5
        return {
            "mean": mean.reshape(first.shape[1:]),
            "matrix": (axes * gains) @ axes.T,
        }

    def _check_precision(self, variances):
        """Refuses gains so far apart that rounding hides the smallest.

        Entries are as large as the largest gain. Their rounding, seen along
        the axis of the largest variance, may come to 1 % of a deviation.
        """
        rounding = np.finfo(self.variable_dtype).eps
        least = variances[-1] * (rounding / 0.01) ** 2 - variances[0]
        if self.epsilon < least:
            raise ValueError(
                f"`epsilon` must be at least {least:.1e} for these images, "
                f"whose largest variance is {variances[-1]:.1e}, or "
                f"{self.variable_dtype} is too coarse for the matrix. "
                f"Received: epsilon={self.epsilon}"
            )

    def call(self, images: KerasTensor) -> KerasTensor:
        _, height, width, channels = images.shape
        centred = ops.cast(images, self.variable_dtype) - self.mean
        flat = ops.reshape(centred, (-1, height * width * channels))
        white = ops.matmul(flat, self.matrix)  # symmetric: rows, not columns
        white = ops.reshape(white, (-1, height, width, channels))
        return ops.cast(white, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
