"""Runs an exported model with what its format needs, and nothing of kresnet.

Also a program, run by its path, in which neither kresnet nor Keras can be
imported: `python -P runtimes.py FORMAT FOLDER BATCHES.npz RESULTS.npz SIZES`,
where SIZES, `one-size` or `any-size`, is what the model should take. It ends
with its standard input, a pipe from the process that started it.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# By the name of a format, as of `keras.Model.export`, its file in the folder.
MODEL_FILES = {
    "tf_saved_model": "saved_model.pb",
    "litert": "model.tflite",
    "onnx": "model.onnx",
}
# From images, uint8 (batch, height, width, channels), to float32 (batch,
# classes); for other images it raises whatever the format's runtime raises.
# With the test view inside, each batch may have another height and width.
Probabilities = Callable[[np.ndarray], np.ndarray]


def load_exported(
    folder: str | os.PathLike[str], format: str
) -> tuple[Probabilities, list[str] | None]:
    """Loads an exported model; a SavedModel is a program, so know its origin.

    Args:
        folder: Holds the file of the format, see `MODEL_FILES`.
        format: "tf_saved_model", "litert" or "onnx".

    Returns:
        The function, and the class names that the model holds, `None` where
        the format has no place for them.

    Raises:
        ImportError: The packages of the format are not installed.
        Exception: What the format's runtime raises for a file that is missing
            or is none of its own; `open_trained` has compared its sum before.
    """
    load = {"tf_saved_model": _saved_model, "litert": _litert, "onnx": _onnx}
    return load[format](Path(folder))


def _saved_model(folder):
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    names = [name.decode() for name in model.class_names().numpy()]
    return lambda images: model.serve(images).numpy(), names


def _litert(folder):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / MODEL_FILES["litert"]))
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def probabilities(images):
        # Strict: only sizes that the model leaves open may change.
        interpreter.resize_tensor_input(source, images.shape, strict=True)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source, images)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return probabilities, None


def _onnx(folder):
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(folder / MODEL_FILES["onnx"]), providers=["CPUExecutionProvider"]
    )
    source = session.get_inputs()[0].name
    names = session.get_modelmeta().custom_metadata_map["class_names"]
    return (
        lambda images: session.run(None, {source: images})[0],
        json.loads(names),
    )


def _end_with_parent():
    while os.read(0, 4096):
        pass
    os._exit(1)


def _main(format, folder, batches, results, sizes):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("kresnet", "keras"):
        # Makes its import an ImportError.
        sys.modules[name] = None  # type: ignore[assignment]
    probabilities, names = load_exported(folder, format)
    with np.load(batches, allow_pickle=False) as file:
        images = {key: file[key] for key in file.files}
    found: dict[str, Any] = {
        key: probabilities(batch) for key, batch in images.items()
    }
    some = next(iter(images.values()))
    wrong = {
        "float pixels": some.astype("float32"),
        "images of other channels": np.concatenate([some, some], axis=3),
    }
    if sizes == "one-size":
        wrong["images of another size"] = some[:, 1:]
    accepted = [
        what for what, batch in wrong.items() if _takes(probabilities, batch)
    ]
    said = json.dumps({"class_names": names, "accepted": accepted})
    np.savez(results, said=np.array(said), **found)


def _takes(probabilities, batch):
    try:
        probabilities(batch)
    except Exception:  # every runtime has its own
        return False
    return True


if __name__ == "__main__":
    _main(*sys.argv[1:])
