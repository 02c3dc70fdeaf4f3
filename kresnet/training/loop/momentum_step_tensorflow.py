"""A step of momentum as one operation, on TensorFlow.

Separate operations take as long to run, but would be 835 more in the graph of a
net of 56 layers, which has 4,000: it would be ready later.
"""

import tensorflow as tf


def momentum_step(variable, velocity, gradient, rate, momentum):
    """See `kresnet.training.loop.optimizer.momentum_step`."""
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=_own(variable).handle,
        accum=_own(velocity).handle,
        lr=rate,
        grad=gradient,
        momentum=momentum,
    )


def _own(variable):
    # Keras hands over TensorFlow's variable or its own.
    return variable if isinstance(variable, tf.Variable) else variable.value
