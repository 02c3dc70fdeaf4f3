"""Keras callbacks of a user's own are called in a run as in `fit`."""

import os
import subprocess
import sys

import keras
import pytest

import kresnet
from kresnet.errors import SpecError
from kresnet.training.options import Options

PROGRAM = """
import csv
import keras
import numpy as np
from kresnet.callbacks import IterationCallback
from safetensors.numpy import load_file
import kresnet

class Plain(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen, self.batches, self.weights = [], [], {}

    def on_train_begin(self, logs=None):
        self.seen.append(("begin", self.params["epochs"]))

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append(("epoch", epoch))

    def on_train_batch_end(self, batch, logs=None):
        assert {*map(type, logs.values())} == {float}
        self.seen.append("batch")
        self.batches.append((batch + 1, logs["loss"], logs["accuracy"]))
        (fc,) = (v for v in self.model.weights if v.path == "fc/kernel")
        self.weights[batch + 1] = keras.ops.convert_to_numpy(fc)

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(("row", epoch, logs))

    def on_train_end(self, logs=None):
        self.seen.append(("end", logs["iteration"]))

class Due(IterationCallback):
    def next_due(self, iteration):
        return 7 if iteration < 7 else None

def rows(name):
    with open(f"run/{name}.csv") as file:
        return [
            {k: float(v) for k, v in row.items()}
            for row in csv.DictReader(file)
        ]

plain = Plain()
kresnet.train(
    "digits",
    "run",
    overrides=[
        "training.iterations=9",
        "training.learning_rate.at=[]",
        "training.evaluate_every=4",
    ],
    callbacks=[plain, Due()],
)

# Everything in the order of `fit`, an epoch for each row.
metrics = rows("metrics")
assert [row["iteration"] for row in metrics] == [4, 8, 9]
others = [each for each in plain.seen if each != "batch"]
assert others == [
    ("begin", 3),
    ("epoch", 0), ("row", 0, metrics[0]),
    ("epoch", 1), ("row", 1, metrics[1]),
    ("epoch", 2), ("row", 2, metrics[2]),
    ("end", 9),
]
assert plain.seen[plain.seen.index(others[2]) - 1] == "batch"

# A batch is a chunk, and its numbers are means over it.
losses = rows("losses")
first = 0
for last, loss, accuracy in plain.batches:
    part = losses[first:last]
    np.testing.assert_allclose(
        [loss, 100 * (1 - accuracy)],
        [np.mean([row[k] for row in part]) for k in ("loss", "error")],
        rtol=1e-5,
    )
    first = last
ends = [last for last, *_ in plain.batches]
assert {4, 7, 8, 9} <= {*ends} and ends[-1] == 9

# They see the weights as they are.
saved = load_file("run/checkpoints/00000009/weights.safetensors")
np.testing.assert_array_equal(plain.weights[9], saved["fc/kernel"])
assert (plain.weights[8] != plain.weights[9]).any()
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_they_get_floats_current_weights_and_an_epoch_for_each_row(
    backend, tmp_path
):
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        check=True,
    )


def test_what_is_no_callback_is_refused(tmp_path):
    for wrong in (print, [print], keras.callbacks.History):
        with pytest.raises(SpecError, match="must be a list of Keras callb"):
            kresnet.train("digits", tmp_path / "run", callbacks=wrong)
    with pytest.raises(SpecError, match="leave them out with --coordinator"):
        Options.of(membership=True, callbacks=[keras.callbacks.History()])
    assert not (tmp_path / "run").exists()
