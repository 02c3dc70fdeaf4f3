"""Runs on a source whose pixels are read for each batch.

In one process a backend: on two virtual devices first, then on one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_network
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
import kresnet
import numpy as np
from kresnet.data import Source, feed, load_dataset
from kresnet.errors import BadDataError
from kresnet.training import experiment
from kresnet.training.loop import loop

digits = load_dataset("digits")


class OnHost(Source):
    name, class_names = digits.name, digits.class_names
    input, fingerprint = digits.input, digits.fingerprint
    shifts = False
    most = 10**6  # batches that can be read
    begun = 0

    def labels(self, split):
        return digits.labels(split)

    def read(self, split, indices, keys=None):
        pixels = digits.read(split, indices)
        if keys is None:
            return pixels
        self.begun += 1
        if self.begun > self.most:
            raise BadDataError("no more batches")
        if self.shifts:
            pixels = np.stack([
                np.roll(image, int(key) >> 61, axis=0)
                for image, key in zip(pixels, keys)
            ])
        return pixels


class Shifting(OnHost):
    shifts = True


class Ending(Shifting):
    most = 8


# Three iterations.
feed.MOST_BYTES = 3 * 128 * 64
chunks = []
cut = loop.chunk_end


def train(out, source, devices="cpu"):
    experiment.open_source = lambda *_: source
    kresnet.train("digits", out, devices=devices, overrides=[
        *sys.argv[1:],
        "training.iterations=12",
        "training.learning_rate.at=[6]",
        "training.evaluate_every=6",
        "data.validation=200",
    ], responses_every=12, response_images=60, gradients_every=6,
    checkpoint_every=6)


def chunk_end(first, *arguments):
    end = cut(first, *arguments)
    chunks.append(end - first)
    return end


for devices in ("cpu:2", "cpu"):
    train(f"memory {devices}", digits, devices)
    loop.chunk_end = chunk_end
    train(f"host {devices}", OnHost(), devices)
    loop.chunk_end = cut
assert 1 < max(chunks) <= 3, chunks
train("shifted", Shifting())
try:
    train("resumed", Ending())
except BadDataError as error:
    print(error)
train("resumed", Shifting())
"""
FILES = ("losses.csv", "metrics.csv", "responses.csv", "gradients.csv")


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def runs(request, tmp_path_factory):
    """The folder with the runs of a backend."""
    pytest.importorskip(request.param)
    home = tmp_path_factory.mktemp(request.param)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *small_network.OVERRIDES],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": request.param},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "no more batches\n"
    assert "resumed: continuing at iteration 6 of 12" in run.stderr
    return home


def assert_same(got: Path, want: Path) -> None:
    """To the bit: what was measured on the way, and the weights."""
    for name in FILES:
        assert (got / name).read_bytes() == (want / name).read_bytes(), name
    weights, others = (
        load_file(run / "checkpoints" / "00000012" / "weights.safetensors")
        for run in (got, want)
    )
    for path, array in others.items():
        np.testing.assert_array_equal(weights[path], array, err_msg=path)
    first, second = (
        json.loads((run / "run.json").read_text()) for run in (got, want)
    )
    assert first["test_loss"] == second["test_loss"]


@pytest.mark.parametrize("devices", ["cpu", "cpu:2"])
def test_pixels_handed_in_are_trained_on_as_those_in_memory(runs, devices):
    assert_same(runs / f"host {devices}", runs / f"memory {devices}")


def test_a_run_that_reads_resumes_to_the_bit(runs):
    """It draws too: the shifts are those of the seed, epoch and image."""
    assert_same(runs / "resumed", runs / "shifted")


def test_what_a_source_draws_is_trained_on(runs):
    shifted = (runs / "shifted" / "losses.csv").read_bytes()

    assert shifted != (runs / "host cpu" / "losses.csv").read_bytes()
