"""A function whose activations are computed twice, not kept.

`tf.recompute_grad`, which `keras.remat` is, cannot be inside a `tf.function`;
outside one it is traced anew for every block and searches the whole graph each
time, which grows with the square of the depth: ResNet-1202 takes longer than
ten minutes.
"""

import tensorflow as tf


def rematerialize(function):
    """Wraps `function(weights, state, inputs) -> (outputs, moved state)`.

    Traced once for all arguments of the same shapes. There are gradients of
    `outputs` with respect to the weights and the inputs.
    """

    @tf.function(autograph=False)
    def traced(weights, state, inputs):
        count = len(weights)

        @tf.custom_gradient
        def run(*arguments):
            outputs, moved = function(
                arguments[:count], state, arguments[count]
            )

            def gradient(upstream, *_):
                # Not before it is needed: that is the point.
                with tf.control_dependencies([upstream]):
                    again = [tf.identity(value) for value in arguments]
                with tf.GradientTape() as tape:
                    tape.watch(again)
                    outputs, _ = function(again[:count], state, again[count])
                return tape.gradient(outputs, again, upstream)

            return (outputs, *moved), gradient

        outputs, *moved = run(*weights, inputs)
        return outputs, moved

    def read_and_run(weights, state, inputs):
        # Values, or it would be traced anew for every variable.
        return traced(
            [tf.convert_to_tensor(value) for value in weights],
            [tf.convert_to_tensor(value) for value in state],
            inputs,
        )

    return read_and_run
