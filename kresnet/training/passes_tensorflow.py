"""A batch in parts that go through the network by themselves, on TensorFlow."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf


def mean_over_parts(
    function: Callable[..., list[tf.Tensor]],
    arguments: Sequence[tf.Tensor],
    parts: int,
) -> list[tf.Tensor]:
    """The mean of what a function returns for equal parts of its arguments.

    The function is in the graph once. Its results travel as one vector, since
    a loop over many tensors takes TensorFlow long to prepare. (Adding them up
    inside the loop fails: with a loop in a loop, the temporary variables of
    TensorFlow's graph optimiser meet.)

    Args:
        function: Takes a part of each argument; returns tensors of `floatx`
            whose shapes are known.
        arguments: Tensors with the same first axis.
        parts: How many; divides that axis. The results of all are kept until
            the last is done.

    Returns:
        Tensors in the order of the function's.
    """
    if parts == 1:
        return function(*arguments)
    shapes = []

    def flat(part):
        results = function(*part)
        shapes[:] = [result.shape for result in results]
        return tf.concat([_reshaped(result, [-1]) for result in results], 0)

    vectors = tf.map_fn(
        flat,
        [
            tf.reshape(argument, (parts, -1, *argument.shape[1:]))
            for argument in arguments
        ],
        fn_output_signature=keras.config.floatx(),
        # Beside each other they keep more cores busy than one at a time does;
        # outside a graph TensorFlow cannot, and says so.
        parallel_iterations=None if tf.executing_eagerly() else 2,
    )
    mean = tf.reduce_mean(vectors, 0)
    sizes = [shape.num_elements() for shape in shapes]
    return [
        _reshaped(part, shape)
        for part, shape in zip(tf.split(mean, sizes), shapes, strict=True)
    ]


def _reshaped(tensor, shape):
    # Most are vectors: scales, offsets, moving averages.
    if len(tensor.shape) == len(shape) == 1:
        return tensor
    return tf.reshape(tensor, shape)
