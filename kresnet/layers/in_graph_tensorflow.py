"""Checks of batches whose size is known only when a graph of TensorFlow runs.

XLA leaves assertions out. What it compiles instead fails at an operation whose
name says the same.
"""

import tensorflow as tf


def equal_batches(keys, images):
    """Returns the keys, in a graph that needs one for each image.

    Args:
        keys: Integer tensor, shape `(batch,)`.
        images: Tensor, shape `(batch, …)`.
    """
    counts = tf.stack([tf.shape(keys)[0], tf.shape(images)[0]])
    keys = _required(
        keys,
        tf.equal(*tf.unstack(counts)),
        "`keys` must have shape (batch,), one key for each image. Received: "
        "numbers of keys and of images",
        counts,
    )
    return tf.reshape(keys, counts[1:], "keys_must_be_one_for_each_image")


def whole_groups(inputs, images_per_group):
    """Returns the inputs, in a graph that needs whole groups of them.

    Args:
        inputs: Tensor, shape `(batch, height, width, channels)`.
        images_per_group: Integer.
    """
    batch = tf.shape(inputs)[0]
    return _required(
        inputs,
        tf.equal(batch % images_per_group, 0),
        "`images_per_statistic` must divide the batch. Received: "
        f"images_per_statistic={images_per_group}, a batch of",
        batch,
    )


def _required(tensor, condition, message, received):
    check = tf.debugging.Assert(condition, [message, received])
    # In a graph nothing else would make it run.
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(tensor)
