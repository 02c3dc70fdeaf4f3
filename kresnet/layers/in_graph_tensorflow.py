"""Layers in a TensorFlow graph: of another backend, or with unknown batches."""

import keras
import tensorflow as tf


def call_in_graph(layer, *args, **kwargs):
    """Calls a layer on symbolic tensors that its backend does not know.

    The graph calls back into Python, so it cannot be saved. The result is that
    of the layer itself, bit for bit.
    """
    given = keras.tree.flatten((args, kwargs))
    places = [i for i, value in enumerate(given) if tf.is_tensor(value)]
    if not layer.built:
        layer.build(tuple(args[0].shape))

    def arguments(tensors):
        values = list(given)
        for place, tensor in zip(places, tensors, strict=True):
            values[place] = tensor
        return keras.tree.pack_sequence_as((args, kwargs), values)

    def run(*arrays):
        args, kwargs = arguments(arrays)
        return keras.ops.convert_to_numpy(layer(*args, **kwargs))

    tensors = [given[place] for place in places]
    symbolic = [
        keras.KerasTensor(tensor.shape, dtype=tensor.dtype.name)
        for tensor in tensors
    ]
    symbolic_args, symbolic_kwargs = arguments(symbolic)
    spec = layer.compute_output_spec(*symbolic_args, **symbolic_kwargs)
    outputs = tf.numpy_function(run, tensors, spec.dtype)
    outputs.set_shape(spec.shape)
    return outputs


def equal_batches(keys, images):
    """Returns the keys, in a graph that fails unless each image has one."""
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
    """Returns the inputs, in a graph that fails unless they fill groups."""
    batch = tf.shape(inputs)[0]
    return _required(
        inputs,
        tf.equal(batch % images_per_group, 0),
        "`images_per_statistic` must divide the batch. Received: "
        f"images_per_statistic={images_per_group}, a batch of",
        batch,
    )


def _required(tensor, condition, message, received):
    # XLA leaves assertions out. What it compiles instead fails at an operation
    # whose name says the same.
    check = tf.debugging.Assert(condition, [message, received])
    # In a graph nothing else would make it run.
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(tensor)
