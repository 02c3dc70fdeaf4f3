"""Computing a part of a network twice instead of keeping its activations."""

import keras
from keras import ops


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
            regularizers of weights. One that draws has two more inputs, the
            keys of images and of the iteration, uint32 `(batch,)`.
        like: Another such layer whose model has the same layers: what was
            traced for it serves here too, or tracing a thousand layers
            would take longer than training them. Defaults to `None`.

    Call arguments:
        inputs: Tensor, as the model takes it.
        image_keys, iteration_keys: If the model draws; needed in training.
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

    def call(
        self, inputs, image_keys=None, iteration_keys=None, training=False
    ):
        keys = []
        if len(self.model.inputs) > 1:
            keys = [image_keys, iteration_keys]
            if image_keys is None:
                if training:
                    raise ValueError(
                        "`image_keys` and `iteration_keys` must be given in"
                        f" training: {self.model.name} draws. Received: none"
                    )
                keys = [ops.zeros(ops.shape(inputs)[:1], "uint32")] * 2
        if not training:
            return self.model([inputs, *keys] if keys else inputs)

        state = self.model.non_trainable_variables
        trace = self._traces.fitting(self.model)
        outputs, moved = trace.run(
            [variable.value for variable in self.model.trainable_variables],
            [variable.value for variable in state],
            inputs,
            *keys,
        )
        for place, value in zip(trace.places, moved, strict=True):
            state[place].assign(value)
        return outputs

    def compute_output_spec(
        self, inputs, image_keys=None, iteration_keys=None, training=False
    ):
        (outputs,) = self.model.outputs
        return keras.KerasTensor(
            (inputs.shape[0], *outputs.shape[1:]), outputs.dtype
        )

    def get_config(self):
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
        }

    @classmethod
    def from_config(cls, config):
        model = keras.saving.deserialize_keras_object(config.pop("model"))
        return cls(model, **config)


class _Traces:
    """Traces of models with the same layers; they differ in what is frozen."""

    def __init__(self):
        self._found = {}

    def fitting(self, model):
        """Returns the trace of a model in which the same is frozen."""
        frozen = _frozen(model)
        trace = self._found.get(frozen)
        # If it has changed since, a new shape would be traced wrongly.
        if trace is None or _frozen(trace.model) != frozen:
            trace = self._found[frozen] = _Trace(model)
        return trace


class _Trace:
    """A model, run as in training, that keeps its input only."""

    def __init__(self, model):
        self.model = model
        # (trainable, non_trainable, inputs, *keys) -> (outputs, moved)
        self.run = _computed_twice(self._compute)
        self.places = []  # of the non-trainable variables that have moved

    def _compute(self, trainable, non_trainable, inputs, *keys):
        outputs, updated, losses = self.model.stateless_call(
            trainable,
            non_trainable,
            [inputs, *keys] if keys else inputs,
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
        # Assigning the others would average them over replicas.
        self.places = [
            place
            for place, before in enumerate(non_trainable)
            if updated[place] is not before
        ]
        return outputs, [updated[place] for place in self.places]


def _frozen(model):
    """Says which layers, also of inner models, and variables are frozen."""
    layers = [model]
    for layer in layers:  # which grows meanwhile
        layers += getattr(layer, "layers", ())
    return tuple(not part.trainable for part in (*layers, *model.variables))


def _computed_twice(function):
    """`function(weights, state, inputs, *keys) -> (outputs, moved)`, wrapped.

    Its activations are not kept, and it is traced once for arguments of the
    same shapes.
    """
    if keras.backend.backend() == "tensorflow":
        return _computed_twice_on_tensorflow(function)
    import jax

    return jax.jit(jax.checkpoint(function))


def _computed_twice_on_tensorflow(function):
    """The same without `tf.recompute_grad`, which `keras.remat` is.

    That one cannot be inside a `tf.function`. Outside one it is traced anew for
    every block and searches the whole graph each time, which grows with the
    square of the depth: ResNet-1202 takes longer than ten minutes.
    """
    import tensorflow as tf

    @tf.function(autograph=False)
    def traced(weights, state, inputs, *keys):
        count = len(weights)

        @tf.custom_gradient
        def run(*arguments):
            outputs, moved = function(
                arguments[:count], state, arguments[count], *keys
            )

            def gradient(upstream, *_):
                # Not before it is needed: that is the point.
                with tf.control_dependencies([upstream]):
                    again = [tf.identity(value) for value in arguments]
                with tf.GradientTape() as tape:
                    tape.watch(again)
                    outputs, _ = function(
                        again[:count], state, again[count], *keys
                    )
                return tape.gradient(outputs, again, upstream)

            return (outputs, *moved), gradient

        outputs, *moved = run(*weights, inputs)
        return outputs, moved

    def read_and_run(weights, state, inputs, *keys):
        # Values, or it would be traced anew for every variable.
        return traced(
            [tf.convert_to_tensor(value) for value in weights],
            [tf.convert_to_tensor(value) for value in state],
            inputs,
            *keys,
        )

    return read_and_run
