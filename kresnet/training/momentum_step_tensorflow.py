"""A step of momentum as one operation, on TensorFlow.

Separate operations take as long to run but, for the 170 variables of a net of
56 layers, a second longer to trace and to prepare.
"""

import tensorflow as tf


def momentum_step(variable, velocity, gradient, rate, momentum):
    """See `kresnet.training.momentum_step.momentum_step`."""
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
