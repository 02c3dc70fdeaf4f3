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
        inputs: Tensor of any number type, shape
            `(batch, height, width, channels)`.

    Returns:
        Tensor of the layer's compute dtype (float32), shape
        `(batch, channels)`.

    Reference:
        He et al. 2015, section 4.2.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        dtype = self.compute_dtype
        wide = "float32" if dtype in ("float16", "bfloat16") else dtype
        inputs = ops.cast(inputs, wide)
        places = ops.cast(math.prod(ops.shape(inputs)[1:3]), wide)
        return ops.cast(ops.sum(inputs, axis=(1, 2)) / places, dtype)

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[3]
