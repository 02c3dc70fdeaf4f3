"""SGD as the paper has it: weight decay coupled with momentum."""

import keras
from keras import ops

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    def momentum_step(
        variable, velocity, gradient, rate, momentum, nesterov=False
    ):
        """See below; as one operation.

        Separate operations take as long to run, but would be 835 more in the
        graph of a net of 56 layers, which has 4,000: it would be ready later.
        """
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=_of_tensorflow(variable).handle,
            accum=_of_tensorflow(velocity).handle,
            lr=rate,
            grad=gradient,
            momentum=momentum,
            use_nesterov=nesterov,
        )

    def _of_tensorflow(variable):
        # Keras hands over TensorFlow's variable or its own.
        return variable if isinstance(variable, tf.Variable) else variable.value
else:

    def momentum_step(
        variable, velocity, gradient, rate, momentum, nesterov=False
    ):
        """Does `v = momentum * v - rate * g; w = w + v`, all of one dtype.

        Nesterov's step is `w = w + momentum * v - rate * g`, with the new `v`.
        """
        moved = velocity * momentum - gradient * rate
        velocity.assign(moved)
        step = moved * momentum - gradient * rate if nesterov else moved
        variable.assign(variable + step)


# What `add_weight` calls the parameters of each kind.
BATCH_NORM_NAMES = ("gamma", "beta")
BIAS_NAMES = ("bias",)


@keras.saving.register_keras_serializable(package="kresnet")
class CoupledSGD(keras.optimizers.SGD):
    """Momentum SGD whose weight decay is part of the gradient.

    One step is `g = gradient + decay * w; v = momentum * v - rate * g;
    w = w + v`, as in Caffe. The decay passes through the momentum;
    `keras.optimizers.SGD(weight_decay=...)` is decoupled, which at momentum
    0.9 is about ten times weaker. It is no term of the loss, so every loss
    that is printed is plain cross-entropy.

    Args:
        learning_rate: Float or schedule.
        momentum: Float in [0, 1). Defaults to `0.9`.
        decay: Float, not negative, the paper's weight decay. Defaults to
            `1e-4`.
        decay_batch_norm: Boolean, whether scales and offsets of batch norm
            decay too (the paper does not say). Defaults to `False`.
        decay_biases: Boolean, the same for biases. Defaults to `False`.
        **kwargs: Of `keras.optimizers.SGD`, such as `nesterov`, whose step is
            `w = w + momentum * v - rate * g`. `global_clipnorm` bounds the norm
            of the gradient before the decay is added.

    Reference:
        He et al. 2015, section 3.4.
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        decay=1e-4,
        decay_batch_norm=False,
        decay_biases=False,
        name="coupled_sgd",
        **kwargs,
    ):
        super().__init__(
            learning_rate=learning_rate, momentum=momentum, name=name, **kwargs
        )
        if decay < 0:
            raise ValueError(
                f"`decay` must not be negative. Received: decay={decay}"
            )
        self.decay = decay
        self.decay_batch_norm = decay_batch_norm
        self.decay_biases = decay_biases

    def build(self, variables):
        """Creates the momenta and notes which variables decay."""
        self._decays = [self._decayed(variable) for variable in variables]
        super().build(variables)

    def _decayed(self, variable):
        if variable.name in BATCH_NORM_NAMES:
            return self.decay > 0 and self.decay_batch_norm
        if variable.name in BIAS_NAMES:
            return self.decay > 0 and self.decay_biases
        return self.decay > 0

    def update_step(self, gradient, variable, learning_rate):
        """One step of one variable."""
        index = self._get_variable_index(variable)
        dtype = variable.dtype
        # Not `ops.cast`, nor Keras' own step, which uses it: on TensorFlow it
        # takes a Python number through float32, and 0.9 in float64 is off by
        # 2e-8. ResNet-20's losses differ by 1e-3 within 20 iterations then.
        if self._decays[index]:
            decay = ops.convert_to_tensor(self.decay, dtype)
            gradient = gradient + decay * variable
        rate = ops.cast(learning_rate, dtype)
        if self.momentum == 0:
            self.assign_sub(variable, gradient * rate)
            return
        momentum_step(
            variable,
            self.momentums[index],
            gradient,
            rate,
            ops.convert_to_tensor(self.momentum, dtype),
            self.nesterov,
        )

    def get_config(self):
        """The arguments of `__init__`."""
        return {
            **super().get_config(),
            "decay": self.decay,
            "decay_batch_norm": self.decay_batch_norm,
            "decay_biases": self.decay_biases,
        }
