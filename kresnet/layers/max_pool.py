"""Max pooling whose padding is never the maximum."""

import keras
from keras import ops

from kresnet.callbacks.arguments import check_integer


@keras.saving.register_keras_serializable(package="kresnet")
class MaxPool(keras.layers.Layer):
    """The largest value of each window; maps come out `stride` times smaller.

    Args:
        kernel: Integer, side of the square window, in pixels.
        stride: Integer, distance of the windows, from 1 to `kernel`.
        padding: Where windows hang over. "end": at the end alone (Caffe).
            "even": `kernel // 2` pixels before the first row and column, and
            what is left at the end (Torch). Nothing there is ever the maximum.

    Call arguments:
        inputs: Float tensor, shape `(batch, height, width, channels)`.

    Returns:
        Tensor of the dtype of `inputs`, shape
        `(batch, height / stride, width / stride, channels)`. What the stride
        does not divide is rounded as in the systems named above: up with
        "even"; with "end" up too, but no window lies within the one before it.

    Reference:
        He et al. 2015, table 1.
    """

    def __init__(self, kernel, stride, padding="end", **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=4)
        self.kernel = check_integer("kernel", kernel, 1)
        self.stride = check_integer("stride", stride, 1)
        if self.stride > self.kernel:
            raise ValueError(
                "`stride` must be at most `kernel`. Received: "
                f"stride={stride}, kernel={kernel}"
            )
        if padding not in ("end", "even"):
            raise ValueError(
                f"`padding` must be 'end' or 'even'. Received: {padding!r}"
            )
        self.padding = padding

    def call(self, inputs):
        mode = "same"
        sizes = inputs.shape[1:3]
        divides = all(size and size % self.stride == 0 for size in sizes)
        # "same" hangs over by as much, half of it and the odd one at the end.
        if not divides or self._before or self.kernel - self.stride > 1:
            sides, mode = (self._before, self._after), "valid"
            inputs = ops.pad(
                inputs,
                ((0, 0), sides, sides, (0, 0)),
                constant_values=float("-inf"),
            )
        return ops.max_pool(
            inputs,
            self.kernel,
            strides=self.stride,
            padding=mode,
            data_format="channels_last",
        )

    @property
    def _before(self):
        """Pixels of padding before the first row and column."""
        if self.padding == "end":
            return 0
        return min(self.kernel // 2, self.kernel - self.stride)

    @property
    def _after(self):
        """Pixels of padding at the end; the last ones may be in no window."""
        if self._before:
            return self.kernel - 1 - self._before
        return max(self.kernel - self.stride, self.stride - 1)

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = input_shape
        more = self._before + self._after - self.kernel
        smaller = (size and (size + more) // self.stride + 1 for size in sizes)
        return (batch, *smaller, channels)

    def get_config(self):
        return {
            **super().get_config(),
            "kernel": self.kernel,
            "stride": self.stride,
            "padding": self.padding,
        }
