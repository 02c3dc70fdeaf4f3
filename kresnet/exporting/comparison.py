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
_KEPT = {"PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"}


def compare(
    folder: Path,
    format: str,
    model: keras.Model,
    images: Images,
    class_names: Sequence[str],
) -> dict[str, float | int]:
    """Runs an export in a fresh process without kresnet and compares.

    Raises:
        BadDataError: It and the model differ, or the export does not load,
            lacks a class name, or takes float pixels or images of another size.
    """
    ends = np.cumsum(BATCHES)
    batches = {
        f"batch_{size}": np.ascontiguousarray(images[end - size : end])
        for size, end in zip(BATCHES, ends, strict=True)
        if end <= len(images)
    }
    found, said = _in_a_fresh_process(folder, format, batches)
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
        _difference(found[name], model, batch, format)
        for name, batch in batches.items()
    ]
    return {
        "images": sum(len(batch) for batch in batches.values()),
        "largest_difference": max(differences),
    }


def _difference(found, model, batch, format) -> float:
    # Equal batches: the kernels' sums depend on the size of the batch.
    expected = softmax(predict_logits(model, batch, batch_size=len(batch)))
    if not np.isfinite(expected).all():
        raise BadDataError("the run's own model gives no finite probabilities")
    if found.shape != expected.shape or found.dtype != np.float32:
        raise BadDataError(
            f"the exported model returns {found.dtype} {found.shape}, not "
            f"float32 {expected.shape}"
        )
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE[format]:  # also if it is not a number
        raise BadDataError(
            f"the exported probabilities differ from the run's by "
            f"{difference:.1e}, more than {TOLERANCE[format]:.0e}"
        )
    if (found.argmax(axis=1) != expected.argmax(axis=1)).any():
        raise BadDataError("the exported model and the run disagree on top-1")
    return difference


def _in_a_fresh_process(folder, format, batches):
    # Without the settings that change how Python itself behaves; -P keeps
    # kresnet's own modules from being imported by their bare names.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") or name in _KEPT
    }
    with tempfile.TemporaryDirectory(prefix="kresnet-export-") as aside:
        sent, received = Path(aside, "batches.npz"), Path(aside, "results.npz")
        np.savez(sent, **batches)
        program = [sys.executable, "-P", runtimes.__file__]
        # Its end tells the process that this one is gone, however it went.
        leash, own_end = os.pipe()
        try:
            done = subprocess.run(
                [*program, format, str(folder), str(sent), str(received)],
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
