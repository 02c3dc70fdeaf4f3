"""Random shifts of colour along the principal axes of the colours."""

import keras
import numpy as np
from keras import ops

from kresnet.callbacks.arguments import check_number
from kresnet.layers.adapted import AdaptedLayer, mean_and_covariance, pixels
from kresnet.layers.keyed import KeyedLayer, random_normal

# Streams of keyed_draws, one an axis: arbitrary, different from every other
# layer's.
STREAMS = (0x70636130, 0x70636131, 0x70636132)  # "pca0", "pca1", "pca2"


@keras.saving.register_keras_serializable(package="kresnet")
class FancyPCA(KeyedLayer, AdaptedLayer):
    """Shifts each image's colour along the training set's RGB principal axes.

    Every image gets one shift, `axes @ (alpha * eigenvalues)` with
    `alpha ~ N(0, stddev)`, added to all of its pixels. Axes and eigenvalues
    are those of the 3×3 covariance of the training pixels, the largest first;
    an axis points to where its largest component is positive.

    Eigenvalues have squared pixel units, so the strength of the noise depends
    on the scale of the pixels. `stddev=0.1` is the published value for pixels
    in [0, 1]: rescale first. Subtracting a mean changes nothing. Until the
    layer is adapted or its weights are loaded, eigenvalues are zero and so are
    the shifts.

    Args:
        stddev: Float, standard deviation of `alpha`. Defaults to `0.1`.

    Call arguments:
        images: Tensor of any number type, shape `(batch, height, width, 3)`.
        keys: Integer tensor, shape `(batch,)`, from 0 to 2**32 - 1; the draws
            depend on it alone, by `keyed_draws.random_normal`.
        training: Boolean. With `False`, as in `evaluate` and `predict`, images
            are only converted to float. Defaults to that of the enclosing
            model's call, and to shifts outside of one.

    Returns:
        Tensor of the layer's compute dtype (float32), same shape as `images`.

    Reference:
        Krizhevsky, Sutskever, Hinton 2012, section 4.1.
    """

    any_size = True
    sizes = (None, None, 3)  # red, green and blue

    def __init__(self, stddev: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.stddev = check_number("stddev", stddev, least=0)

    def initial_weights(self, sizes):
        # The axes are columns.
        return {"axes": ((3, 3), "identity"), "eigenvalues": ((3,), "zeros")}

    def statistics(self, batches):
        _, covariance = mean_and_covariance(pixels(batches))
        eigenvalues, axes = np.linalg.eigh(covariance)  # the smallest first
        largest = np.abs(axes).argmax(axis=0)
        axes = axes * np.sign(axes[largest, range(3)])
        return {
            "axes": axes[:, ::-1],
            "eigenvalues": np.maximum(eigenvalues[::-1], 0.0),
        }

    def unchanged(self, images):
        return ops.cast(images, self.compute_dtype)

    def draw(self, images, keys):
        shifts: keras.KerasTensor = 0.0
        # Term by term: a product of matrices may round by the batch's size.
        for i, stream in enumerate(STREAMS):
            alpha = self.stddev * random_normal(keys, stream)
            alpha = ops.cast(alpha, self.variable_dtype)[:, None]
            shifts = shifts + alpha * (self.axes[:, i] * self.eigenvalues[i])
        images = ops.cast(images, self.variable_dtype)
        shifted = images + shifts[:, None, None, :]
        return ops.cast(shifted, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}
