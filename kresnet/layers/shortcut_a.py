"""The parameter-free shortcut."""

import keras
from keras import ops

from kresnet.callbacks.arguments import check_integer


@keras.saving.register_keras_serializable(package="kresnet")
class ShortcutA(keras.layers.Layer):
    """Subsamples by the stride and appends channels of zeros (option A).

    Args:
        width: Integer, channels of the output; not below those of the input.
        stride: Integer, keeps every `stride`-th row and column, the first
            included. Defaults to `1`.

    Call arguments:
        inputs: Tensor of any number type, shape
            `(batch, height, width, channels)`; only the channels must be known.

    Returns:
        Tensor of the layer's compute dtype (float32), shape
        `(batch, ceil(height / stride), ceil(width / stride), self.width)`.

    Reference:
        He et al. 2015, section 3.3, option A.
    """

    def __init__(self, width, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=4)
        self.width = check_integer("width", width, 1)
        self.stride = check_integer("stride", stride, 1)

    def build(self, input_shape):
        if input_shape[-1] is None:
            raise ValueError(
                "`inputs` must have a known number of channels. "
                f"Received: inputs.shape={tuple(input_shape)}"
            )
        if input_shape[-1] > self.width:
            raise ValueError(
                "`width` must not be below the input's channels: option A "
                "appends zeros and cannot narrow. Received: "
                f"width={self.width}, {input_shape[-1]} channels"
            )

    def call(self, inputs):
        x = ops.cast(inputs, self.compute_dtype)  # bytes too
        if self.stride > 1:
            # A pooling window of one pixel: on CPUs seven times as fast as
            # the strided slice it equals.
            x = ops.average_pool(
                x,
                1,
                strides=self.stride,
                padding="same",
                data_format="channels_last",
            )
        missing = self.width - x.shape[-1]
        if missing:
            x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, missing)))
        return x

    def compute_output_shape(self, input_shape):
        batch, *sizes, _ = input_shape
        smaller = (size and -(-size // self.stride) for size in sizes)
        return (batch, *smaller, self.width)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "stride": self.stride,
        }
