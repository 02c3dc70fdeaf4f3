"""Layers of another backend in a graph of TensorFlow's."""

import keras
import tensorflow as tf


def call_in_graph(layer, *args, **kwargs):
    """Calls a layer on symbolic tensors that its backend does not know.

    The graph calls back into Python, so it cannot be saved. The result is that
    of the layer itself, bit for bit.

    Args:
        layer: Layer with weights of another backend.
        args: What it is called with: tensors, the images first.
        kwargs: Likewise.

    Returns:
        Symbolic tensor, of the shape and dtype that the layer returns.
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
