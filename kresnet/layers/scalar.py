"""A single number that is learned."""

import keras


@keras.saving.register_keras_serializable(package="kresnet")
class Scalar(keras.layers.Layer):
    """Adds one trainable number to all values, or multiplies them by one.

    Args:
        factor: Boolean. `False`: the number is added, and 0 at the start.
            `True`: values are multiplied by it, and it is 1 at the start.

    Call arguments:
        inputs: Float tensor of any shape.

    Returns:
        Tensor of the shape and dtype of `inputs`.

    Reference:
        Zhang, Dauphin, Ma 2019, "Fixup initialization", section 3.
    """

    def __init__(self, factor=False, **kwargs):
        super().__init__(**kwargs)
        self.factor = bool(factor)

    def build(self, input_shape):
        self.number = self.add_weight(
            name="factor" if self.factor else "bias",
            shape=(),
            initializer="ones" if self.factor else "zeros",
        )

    def call(self, inputs):
        return inputs * self.number if self.factor else inputs + self.number

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
