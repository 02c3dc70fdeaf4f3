"""Global average pooling."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kresnet")
class GlobalAveragePool(keras.layers.Layer):
    """The mean of every channel over rows and columns.

    Sums are float32 or wider. (`keras.layers.GlobalAveragePooling2D` takes
    float64 to float32 on JAX.)

    Call arguments:
        inputs: Float tensor, shape `(batch, height, width, channels)`.

    Returns:
        Float tensor, shape `(batch, channels)`, dtype of `inputs`.

    Reference:
        He et al. 2015, section 4.2.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        """See the class."""
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if dtype in ("float16", "bfloat16"):
            inputs = ops.cast(inputs, "float32")
        places = ops.cast(math.prod(ops.shape(inputs)[1:3]), inputs.dtype)
        return ops.cast(ops.sum(inputs, axis=(1, 2)) / places, dtype)

    def compute_output_shape(self, input_shape):
        """`(batch, channels)`."""
        return input_shape[0], input_shape[3]
