"""The test view as a layer: whole images become crops of the input's size.

It is arithmetic that every format of an export knows.
"""

import keras
from keras import ops

from kresnet.callbacks.arguments import check_integer

# Pillow's weights are multiples of 2**-22. They are held as two numbers of 11
# bits: sums of products with bytes are then whole numbers that float32 holds
# exactly, in any order of summation, and on GPUs that multiply in TF32.
_HALF = 2**11


@keras.saving.register_keras_serializable(package="kresnet")
class CenterView(keras.layers.Layer):
    """The box in the centre of images of any size, resized to one size.

    The box is what a crop of `(height, width)` shows once the shorter side has
    been resized to `shorter_side`. It is resized with Pillow's antialiased
    bilinear filter, first across and then down, each rounded to bytes: as
    `kresnet.data.views` does it, bit for bit where the box has edges that
    float32 holds, such as at 224 of 256. Elsewhere Pillow rounds the edges, and
    a few values in a thousand differ by a level.

    Args:
        shorter_side: Integer, the length that the shorter side stands for, in
            pixels; at least `height` and `width`.
        height: Integer, height of the output.
        width: Integer, width of the output.

    Call arguments:
        images: uint8 tensor, shape `(batch, any, any, channels)`.

    Returns:
        uint8 tensor, shape `(batch, height, width, channels)`.
    """

    def __init__(self, shorter_side, height, width, **kwargs):
        super().__init__(**kwargs)
        self.height = check_integer("height", height, 1)
        self.width = check_integer("width", width, 1)
        side = max(self.height, self.width)
        self.shorter_side = check_integer("shorter_side", shorter_side, side)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, images):
        rows, columns = ops.shape(images)[1], ops.shape(images)[2]
        shorter = ops.minimum(rows, columns)
        x = ops.transpose(ops.cast(images, "float32"), (0, 1, 3, 2))
        x = self._resized(x, columns, shorter, self.width)
        x = ops.transpose(x, (0, 2, 3, 1))  # batch, channels, columns, rows
        x = self._resized(x, rows, shorter, self.height)
        return ops.cast(ops.transpose(x, (0, 3, 2, 1)), "uint8")

    def _resized(self, x, size, shorter, output):
        """Resizes the last axis, rounded to whole numbers."""
        high, low = self._weights(size, shorter, output)
        high, low = ops.matmul(x, high), ops.matmul(x, low)
        rounding = _HALF // 2
        return ops.floor((high + rounding + ops.floor(low / _HALF)) / _HALF)

    def _weights(self, size, shorter, output):
        """Two matrices, float32 `(size, output)`: high and low bits."""
        # Distances of pixels from where an output pixel stands, in units in
        # which all are whole: a pixel is 2 * shorter_side long.
        pixels = 2 * ops.arange(size, dtype="int32") + 1 - size
        centres = 2 * ops.arange(output, dtype="int32") + 1 - output
        away = ops.abs(
            pixels[:, None] * self.shorter_side - centres[None] * shorter
        )
        # Shrinking averages, enlarging interpolates.
        support = 2 * ops.maximum(shorter, self.shorter_side)
        triangle = ops.maximum(support - away, 0)
        total = ops.sum(triangle, axis=0, keepdims=True)
        share = ops.cast(triangle, "float32") / ops.cast(total, "float32")
        high = ops.cast(ops.floor(share * _HALF + 0.5), "int32")
        rest = ops.cast(triangle * _HALF - high * total, "float32")
        low = ops.floor(rest / ops.cast(total, "float32") * _HALF + 0.5)
        return ops.cast(high, "float32"), low

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.height, self.width, input_shape[3])

    def compute_output_spec(self, images):
        shape = self.compute_output_shape(images.shape)
        return keras.KerasTensor(shape, "uint8")

    def get_config(self):
        return {
            **super().get_config(),
            "shorter_side": self.shorter_side,
            "height": self.height,
            "width": self.width,
        }
