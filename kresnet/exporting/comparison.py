"""Whether an exported model computes what the run's model computes."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from kresnet.data import Images
from kresnet.errors import BadDataError
from kresnet.trained import runtimes
from kresnet.trained.measures import predict_logits, softmax

# Of probabilities. A SavedModel runs the same kernels; the other formats sum
# in another order.
TOLERANCE = {"tf_saved_model": 1e-6, "litert": 1e-4, "onnx": 1e-4}
# A single image, an odd batch and a large one: 128 images in all.
BATCHES = (1, 7, 120)
# Of a network with a view inside, beside one whose view Pillow made: where
# Pillow rounds the edges of a box, a few pixels differ by a level.
ANY_SIZE_TOLERANCE = 1e-3
# Whole images are compared up to so many, and up to so many bytes.
IMAGES, BYTES = 128, 2**28
_KEPT = {"PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"}


def compare(
    folder: Path,
    format: str,
    model: keras.Model,
    images: Images,
    class_names: Sequence[str],
    any_size: bool = False,
) -> dict[str, float | int]:
    """Runs an export in a fresh process without kresnet and compares.

    Args:
        folder: Holds the export.
        format: See `kresnet.exporting.export`.
        model: The run's own, from pixels of its input to logits.
        images: Of the test set.
        class_names: In the order of the labels.
        any_size: Whether the export takes images of any size.

    Raises:
        BadDataError: It and the model differ, or the export does not load,
            lacks a class name, or takes float pixels, images of other channels,
            or, unless `any_size`, of another size.
    """
    if any_size:
        batches, expected = _whole_images(model, images)
        tolerance = ANY_SIZE_TOLERANCE
    else:
        batches, expected = _batches(model, images)
        tolerance = TOLERANCE[format]
    found, said = _in_a_fresh_process(folder, format, batches, any_size)
    if said["class_names"] not in (None, list(class_names)):
        raise BadDataError(
            f"the exported class names are {said['class_names']}, not "
            f"{list(class_names)}"
        )
    if said["accepted"]:
        raise BadDataError(
            f"the exported model accepts {' and '.join(said['accepted'])}"
        )
    differences = [
        _difference(found[name], expected[name], tolerance) for name in batches
    ]
    # With a view inside, two classes that are as near to each other as the
    # tolerance may change places.
    if not any_size and any(
        (found[name].argmax(axis=1) != expected[name].argmax(axis=1)).any()
        for name in batches
    ):
        raise BadDataError("the exported model and the run disagree on top-1")
    return {
        "images": sum(len(batch) for batch in batches.values()),
        "largest_difference": max(differences),
    }


def _batches(model, images):
    """Batches of images, and the probabilities of the run's own model."""
    ends = np.cumsum(BATCHES)
    batches = {
        f"batch_{size}": np.ascontiguousarray(images[end - size : end])
        for size, end in zip(BATCHES, ends, strict=True)
        if end <= len(images)
    }
    # Equal batches: the kernels' sums depend on the size of the batch.
    expected = {
        name: _probabilities(model, batch, len(batch))
        for name, batch in batches.items()
    }
    return batches, expected


def _whole_images(model, images):
    """As `_batches`: images of their own sizes, each a batch, from all classes.

    One of them is also a batch of three.
    """
    places = np.arange(len(images))[:: -(-len(images) // IMAGES)]
    batches: dict[str, np.ndarray] = {}
    for place in places:
        batches[f"image_{place}"] = images.whole(place)[None]
        if sum(batch.nbytes for batch in batches.values()) > BYTES:
            break
    rows = _probabilities(model, images[places[: len(batches)]], 32)
    expected = dict(zip(batches, rows[:, None], strict=True))
    batches["batch_3"] = np.repeat(batches["image_0"], 3, axis=0)
    expected["batch_3"] = np.repeat(expected["image_0"], 3, axis=0)
    return batches, expected


def _probabilities(model, pixels, batch_size):
    probabilities = softmax(predict_logits(model, pixels, batch_size))
    if not np.isfinite(probabilities).all():
        raise BadDataError("the run's own model gives no finite probabilities")
    return probabilities


def _difference(found, expected, tolerance) -> float:
    if found.shape != expected.shape or found.dtype != np.float32:
        raise BadDataError(
            f"the exported model returns {found.dtype} {found.shape}, not "
            f"float32 {expected.shape}"
        )
    difference = float(np.abs(found - expected).max())
    if not difference <= tolerance:  # also if it is not a number
        raise BadDataError(
            f"the exported probabilities differ from the run's by "
            f"{difference:.1e}, more than {tolerance:.0e}"
        )
    return difference


def _in_a_fresh_process(folder, format, batches, any_size):
    # Without the settings that change how Python itself behaves; -P keeps
    # kresnet's own modules from being imported by their bare names.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") or name in _KEPT
    }
    sizes = "any-size" if any_size else "one-size"
    with tempfile.TemporaryDirectory(prefix="kresnet-export-") as aside:
        sent, received = Path(aside, "batches.npz"), Path(aside, "results.npz")
        np.savez(sent, **batches)
        program = [sys.executable, "-P", runtimes.__file__]
        # Its end tells the process that this one is gone, however it went.
        leash, own_end = os.pipe()
        try:
            done = subprocess.run(
                [*program, format, *map(str, (folder, sent, received)), sizes],
                capture_output=True,
                text=True,
                errors="replace",
                stdin=leash,
                env=environment,
            )
        finally:
            os.close(own_end)
            os.close(leash)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BadDataError(
                "the exported model cannot be used in a process without "
                f"kresnet (exit code {done.returncode}): {last}"
            )
        with np.load(received, allow_pickle=False) as file:
            found = {name: file[name] for name in batches}
            return found, json.loads(str(file["said"]))
