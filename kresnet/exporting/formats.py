"""Writing a model in each format; the only place that knows their writers."""

import errno
import importlib.util
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras

from kresnet.errors import InputMissingError
from kresnet.trained.runtimes import MODEL_FILES

# What is imported to write and to check a format, beyond TensorFlow.
NEEDS = {
    "tf_saved_model": (),
    "litert": ("ai_edge_litert",),
    "onnx": ("onnx", "onnxruntime", "tf2onnx"),
}


def check_installed(format: str) -> None:
    """Raises `InputMissingError` that names what to install for a format."""
    missing = [
        name for name in NEEDS[format] if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise InputMissingError(
            f"--format {format} needs {', '.join(missing)}, not installed "
            f"here: pip install 'kresnet[{format}]'"
        )


def write_model(
    folder: Path, format: str, model: keras.Model, class_names: Sequence[str]
) -> None:
    """Writes a model of logits as a function from pixels to probabilities.

    Heights and widths that are `None` stay open: one size a batch.
    """
    if format == "tf_saved_model":
        _write_saved_model(folder, model, class_names)
        return
    probabilities = keras.layers.Softmax(dtype="float32")(model.output)
    joined = keras.Model(model.input, probabilities)
    # Keras exports to ONNX only what was called before.
    sizes = [size or 32 for size in model.input_shape[1:]]
    joined(keras.ops.zeros((1, *sizes), "uint8"))
    path = folder / MODEL_FILES[format]
    with warnings.catch_warnings():
        # From Keras 3.15 making tf2onnx fit NumPy 2.
        warnings.filterwarnings("ignore", ".*`np.object`", FutureWarning)
        joined.export(str(path), format=format, verbose=False)
    if format == "onnx":
        import onnx

        written = onnx.load(str(path))
        names = json.dumps(list(class_names), ensure_ascii=False)
        onnx.helper.set_model_props(written, {"class_names": names})
        onnx.save(written, str(path))


def _write_saved_model(folder, model, class_names):
    import tensorflow as tf

    # Traced without an input signature: with one, a loaded function casts
    # NumPy floats to bytes, silently, before it runs. A serving signature does
    # so as well, and there is none.
    @tf.function(autograph=False)
    def serve(images):
        count = tf.shape(images)[0]
        # One image at least: oneDNN's convolution of none has a wrong shape.
        added = [[0, tf.maximum(1 - count, 0)], [0, 0], [0, 0], [0, 0]]
        logits = model(tf.pad(images, added), training=False)[:count]
        logits = keras.ops.cast(logits, "float32")
        return tf.identity(tf.nn.softmax(logits), name="probabilities")

    @tf.function(autograph=False)
    def names():
        return tf.constant(list(class_names))

    shape = (None, *model.input_shape[1:])
    serve.get_concrete_function(tf.TensorSpec(shape, tf.uint8, name="images"))
    names.get_concrete_function()
    exported = tf.Module()
    exported.variables_of_network = [each.value for each in model.variables]
    exported.serve, exported.class_names = serve, names
    try:
        tf.saved_model.save(exported, str(folder), signatures={})
    except tf.errors.OpError as error:  # TensorFlow's own, also of a full disk
        full = "No space left" in error.message
        raise (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if full
            else OSError(errno.EIO, error.message)
        ) from error
