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
    move them twice on TensorFlow and fail on JAX.) What is frozen in the model
    (`trainable = False`) stays as it is.

    Args:
        model: `keras.Model` with one input and one output, and no losses but
            regularizers of weights.
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
        super().__init__(autocast=False, **kwargs)  # the model casts
        self.model = model
        if not self.trainable:
            model.trainable = False
        self._traces = like._traces if like else _Traces()

    def build(self, input_shape):
        """The model is built already."""

    def call(self, inputs, training=False):
        """See the class."""
        if not training:
            return self.model(inputs, training=False)

        state = self.model.non_trainable_variables
        trace = self._traces.fitting(self.model)
        outputs, moved = trace.run(
            [variable.value for variable in self.model.trainable_variables],
            [variable.value for variable in state],
            inputs,
        )
        for place, value in zip(trace.places, moved, strict=True):
            state[place].assign(value)
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


class _Traces:
    """What was traced of models with the same layers, by what is frozen."""

    def __init__(self):
        self._found = {}

    def fitting(self, model):
        """The trace of a model in which the same is frozen."""
        frozen = _frozen(model)
        trace = self._found.get(frozen)
        # Of one that has changed since, a new shape would be traced wrongly.
        if trace is None or _frozen(trace.model) != frozen:
            trace = self._found[frozen] = _Trace(model)
        return trace


class _Trace:
    """A model, run as in training, that keeps its input only.

    Attributes:
        model: The model.
        run: `(trainable, non_trainable, inputs) -> (outputs, moved)`.
        places: Of what has moved among the non-trainable variables.
    """

    def __init__(self, model):
        self.model = model
        self.run = rematerialize(self._compute)
        self.places = []

    def _compute(self, trainable, non_trainable, inputs):
        outputs, updated, losses = self.model.stateless_call(
            trainable,
            non_trainable,
            inputs,
            training=True,
            return_losses=True,
        )
        weights = self.model.trainable_variables
        if len(losses) > sum(w.regularizer is not None for w in weights):
            raise ValueError(
                "`model` must have no losses but those of its weights: others "
                "would be lost. Received: an `activity_regularizer` or "
                f"`add_loss` in {self.model.name}"
            )
        # Not all of them: to assign the rest is to average it over replicas.
        self.places = [
            place
            for place, before in enumerate(non_trainable)
            if updated[place] is not before
        ]
        return outputs, [updated[place] for place in self.places]


def _frozen(model):
    parts = (*model._flatten_layers(), *model.variables)
    return tuple(part.trainable for part in parts)
