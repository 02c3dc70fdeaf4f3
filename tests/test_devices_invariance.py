"""A spec means the same on any number of devices, and on both backends.

On virtual CPU devices, on real images. At a low learning rate, so that rounding
has no time to grow: in float64 for 50 iterations, in float32 for 5.
"""

import csv
import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "KRESNET_DATA_DIR" not in os.environ, reason="needs prepared CIFAR-10"
    ),
]

SPEC = """
name: {kind}
model:
  input: [32, 32, 3]
  stem: {{kernel: 3, width: 4, stride: 1}}
  stages:
    - {{{block}, blocks: 1, width: 4, stride: 1}}
    - {{{block}, blocks: 1, width: 8, stride: 2}}
  classes: 10
  batch_norm: {{images_per_statistic: 64, momentum: 0.9, epsilon: 1e-5}}
data:
  dataset: cifar10
  validation: 500
  transforms:
    - {{layer: per_pixel_mean}}
    - {{layer: rescale, divide_by: 255}}
    - {{layer: fancy_pca, stddev: 0.1}}
    - {{layer: random_crop, padding: 4}}
    - {{layer: random_flip}}
training:
  batch_size: 256
  iterations: {iterations}
  learning_rate: {{start: 0.01, divide_by: 10, at: []}}
  momentum: 0.9
  weight_decay: 1e-4
  gradient_clip: 1.0
  evaluate_every: 50
"""
BLOCKS = {"plain": "block: plain", "residual": "block: basic, shortcut: A"}

# Some of the images only, and every run of it sees the same.
PROGRAM = """
import dataclasses
import pathlib
import sys
import keras
import kresnet
from kresnet.training import experiment

def some_images(name, data_dir):
    data = load_dataset(name, data_dir)
    return dataclasses.replace(
        data,
        train_images=data.train_images[:3_500],
        train_labels=data.train_labels[:3_500],
        test_images=data.test_images[:100],
        test_labels=data.test_labels[:100],
    )

load_dataset = experiment.load_dataset
experiment.load_dataset = some_images
devices, home = sys.argv[1:]
for floatx in ("float64", "float32"):
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    for spec in sorted(pathlib.Path(home).glob(f"*-{floatx}.yaml")):
        out = spec.with_suffix("") / keras.backend.backend() / devices
        kresnet.train(
            spec, out, devices=devices, responses_every=50, response_images=60
        )
"""
PLACES = list(
    itertools.product(("tensorflow", "jax"), ("cpu", "cpu:2", "cpu:4"))
)
ITERATIONS = {"float64": 50, "float32": 5}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Run folders: kind and float type, backend, devices."""
    pytest.importorskip("jax")
    home = tmp_path_factory.mktemp("runs")
    for (kind, block), (floatx, count) in itertools.product(
        BLOCKS.items(), ITERATIONS.items()
    ):
        spec = SPEC.format(kind=kind, block=block, iterations=count)
        (home / f"{kind}-{floatx}.yaml").write_text(spec)
    hidden = home / "hidden"
    hidden.mkdir()
    (hidden / "tensorflow.py").write_text("raise ImportError('hidden')")
    for backend, devices in PLACES:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, devices, str(home)],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "KERAS_BACKEND": backend,
                "JAX_ENABLE_X64": "1",
                # Runs on JAX must do without TensorFlow.
                "PYTHONPATH": str(hidden) if backend == "jax" else "",
            },
        )
        assert run.returncode == 0, run.stderr
    return home


def _weights(folder):
    (newest,) = sorted((folder / "checkpoints").iterdir())[-1:]
    return load_file(newest / "weights.safetensors")


def _column(path, name):
    with path.open() as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def _places(run):
    """Folders on any other backend and devices than one CPU's TensorFlow."""
    return [run / backend / devices for backend, devices in PLACES[1:]]


@pytest.mark.parametrize("floatx", ITERATIONS)
@pytest.mark.parametrize("kind", BLOCKS)
def test_losses_are_the_same_everywhere(home, kind, floatx):
    run = home / f"{kind}-{floatx}"
    want = _column(run / "tensorflow" / "cpu" / "losses.csv", "loss")
    assert len(want) == ITERATIONS[floatx]
    assert want[-1] != want[0]

    for folder in _places(run):
        np.testing.assert_allclose(
            _column(folder / "losses.csv", "loss"),
            want,
            rtol=1e-6 if floatx == "float64" else 1e-4,
            err_msg=str(folder),
        )


@pytest.mark.parametrize("kind", BLOCKS)
def test_weights_and_moving_averages_are_the_same_everywhere(home, kind):
    run = home / f"{kind}-float64"
    want = _weights(run / "tensorflow" / "cpu")

    for folder in _places(run):
        got = _weights(folder)
        assert got.keys() == want.keys()
        for path, array in want.items():
            np.testing.assert_allclose(
                got[path],
                array,
                rtol=1e-6,
                atol=1e-6 * np.abs(array).max(),
                err_msg=f"{folder} {path}",
            )


@pytest.mark.parametrize("kind", BLOCKS)
def test_what_is_measured_is_one_number_and_the_same_everywhere(home, kind):
    """Validation and layer responses, on a copy that is on one device."""
    run = home / f"{kind}-float64"
    for name, column in (
        ("metrics.csv", "validation_loss"),
        ("responses.csv", "std"),
    ):
        want = _column(run / "tensorflow" / "cpu" / name, column)

        for folder in _places(run):
            np.testing.assert_allclose(
                _column(folder / name, column),
                want,
                rtol=1e-5,  # responses are reduced in float32
                err_msg=f"{folder} {name}",
            )


def test_run_json_names_the_devices(home):
    for backend, devices in PLACES:
        folder = home / "plain-float32" / backend / devices
        info = json.loads((folder / "run.json").read_text())
        count = devices.partition(":")[2] or "1"
        assert info["options"]["devices"] == f"{count} cpu"
