"""Computing a part of a network twice instead of keeping its activations."""

import keras

if keras.backend.backend() == "tensorflow":
    from kresnet.layers.rematerialize_tensorflow import rematerialize
else:
    from kresnet.layers.rematerialize import rematerialize


@keras.saving.register_keras_serializable(package="kresnet")
class Rematerialized(keras.layers.Layer):
    """Runs a model and keeps its input only, not its activations.

    The backward pass computes them again. Values and gradients are those of
    the model itself; its batch-norm averages move once, with the first
    computation. (`keras.RematScope` around layers that update variables would
    move them twice on TensorFlow and fail on JAX.)

    Args:
        model: `keras.Model` with one input and one output.
        like: Another such layer whose model has the same layers: what was
            traced for it serves here too, or tracing a thousand layers
            would take longer than training them. Defaults to `None`.

    Call arguments:
        inputs: Tensor, as the model takes it.
        training: Boolean, passed on. Defaults to `False`.

    Returns:
        Tensor, as the model returns it.

    Reference:
        Chen et al. 2016, arXiv:1604.06174.
    """

    def __init__(self, model, like=None, **kwargs):
        super().__init__(**kwargs)
        self.model = model
        self._compute = like._compute if like else _rematerialized(model)

    def build(self, input_shape):
        """The model is built already."""

    def call(self, inputs, training=False):
        """See the class."""
        if not training:
            return self.model(inputs, training=False)

        averages = self.model.non_trainable_variables
        outputs, updated = self._compute(
            [variable.value for variable in self.model.trainable_variables],
            [variable.value for variable in averages],
            inputs,
        )
        for variable, value in zip(averages, updated, strict=True):
            variable.assign(value)
        return outputs

    def compute_output_spec(self, inputs, training=False):
        """What the model returns."""
        return self.model.compute_output_spec(inputs)

    def get_config(self):
        """The arguments of `__init__`."""
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
        }

    @classmethod
    def from_config(cls, config):
        """Rebuilds the model first."""
        model = keras.saving.deserialize_keras_object(config.pop("model"))
        return cls(model, **config)


def _rematerialized(model):
    """`(trainable, non_trainable, inputs) -> (outputs, non_trainable)`."""

    def compute(trainable, non_trainable, inputs):
        return model.stateless_call(
            trainable, non_trainable, inputs, training=True
        )

    return rematerialize(compute)
