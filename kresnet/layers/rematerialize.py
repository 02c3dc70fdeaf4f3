"""A function whose activations are computed twice, not kept; on JAX."""

import jax


def rematerialize(function):
    """Wraps `function(weights, state, inputs) -> (outputs, moved state)`.

    Traced once for all arguments of the same shapes.
    """
    return jax.jit(jax.checkpoint(function))
