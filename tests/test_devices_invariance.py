"""A spec means the same on any number of devices, and on both backends.

On virtual CPU devices, on real images. At a low learning rate, so that rounding
has no time to grow: in float64 for 20 iterations, losses to a relative 1e-12
and weights to 1e-10; in float32 for 5, to 1e-4. Of weights an absolute
difference is allowed too: in float64 1e-10 of the largest magnitude in the same
array, in float32 1e-4 of that in the same layer: rounding moved an offset,
which had been zero five iterations before, by 2e-4 of itself, and by 1e-7 of
the scale beside it, which is one.

The float64 losses are also held to those in fixtures/float64_losses.json, which
an earlier training loop wrote, so that no change of the loop changes what a
spec means.
"""

import csv
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

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
  batch_norm: {{images_per_statistic: 16, momentum: 0.9, epsilon: 1e-5}}
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
  batch_size: 128
  iterations: {iterations}
  learning_rate: {{start: 0.01, divide_by: 10, at: []}}
  momentum: 0.9
  weight_decay: 1e-4
  {more}
  evaluate_every: 20
"""
# One of them with a bound on the gradient, which acts: with it TensorFlow's
# replicas add up their gradients by another way. It warms up, and the warm-up
# ends after three iterations: chunks of one iteration, then longer ones.
BOUNDED = """gradient_clip: 0.1
  warm_up:
    {learning_rate: 0.005, until_training_error: 100, over: 3, limit: 4}"""
KINDS = {
    "plain": ("block: plain", BOUNDED),
    "residual": ("block: basic, shortcut: A", ""),
}

# Some of the images only, and every run of it sees the same. The devices of a
# process are made for its first place, which has the most.
PROGRAM = """
import contextlib
import dataclasses
import pathlib
import sys
from unittest import mock
import keras
import kresnet
from kresnet.training import experiment

def some_images(spec, data_dir):
    data = open_source(spec, data_dir)
    return dataclasses.replace(
        data,
        train_images=data.train_images[:1_500],
        train_labels=data.train_labels[:1_500],
        test_images=data.test_images[:100],
        test_labels=data.test_labels[:100],
    )

def what_accelerators_run():
    from kresnet.training.loop.steps_jax import Steps
    return mock.patch.object(Steps, "one_program", True)

open_source = experiment.open_source
experiment.open_source = some_images
home = pathlib.Path(sys.argv[1])
for floatx, place in zip(sys.argv[2::2], sys.argv[3::2]):
    devices, _, loop = place.partition(", ")
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    for spec in sorted(home.glob(f"*-{floatx}.yaml")):
        out = spec.with_suffix("") / keras.backend.backend() / place
        with what_accelerators_run() if loop else contextlib.nullcontext():
            kresnet.train(
                spec,
                out,
                devices=devices,
                responses_every=20,
                response_images=60,
            )
"""
LOSSES = Path(__file__).parent / "fixtures" / "float64_losses.json"
FIRST = "tensorflow", "cpu"  # what the others are compared with
# What a process runs, by float type and place. In float64 CPUs take twice as
# long for one program. What the short form leaves out costs most, and differs
# from what it has in the number of devices alone.
SHORT = {
    "tensorflow": [
        ("float64", "cpu:2"),
        ("float64", "cpu"),
        ("float32", "cpu"),
    ],
    "jax": [
        ("float64", "cpu:4"),
        ("float64", "cpu"),
        ("float32", "cpu"),
        ("float32", "cpu:4, one program"),
    ],
}
WHOLE = {
    "tensorflow": [("float64", "cpu:4"), ("float32", "cpu:4")],
    "jax": [("float64", "cpu:2"), ("float32", "cpu:2, one program")],
}
ITERATIONS = {"float64": 20, "float32": 5}
# In float32, which adds one program on JAX, that with a bound and a warm-up.
RUNS = [("plain", "float64"), ("residual", "float64"), ("plain", "float32")]
# Of losses and of weights.
TOLERANCE = {"float64": (1e-12, 1e-10), "float32": (1e-4, 1e-4)}


@pytest.fixture(scope="module")
def home(tmp_path_factory, whole_form):
    """Run folders: kind and float type, backend, place."""
    pytest.importorskip("jax")
    home = tmp_path_factory.mktemp("runs")
    for kind, floatx in RUNS:
        (block, more), count = KINDS[kind], ITERATIONS[floatx]
        spec = SPEC.format(kind=kind, block=block, more=more, iterations=count)
        (home / f"{kind}-{floatx}.yaml").write_text(spec)
    hidden = home / "hidden"
    hidden.mkdir()
    (hidden / "tensorflow.py").write_text("raise ImportError('hidden')")
    for backend, places in [
        *SHORT.items(),
        *(WHOLE.items() if whole_form else ()),
    ]:
        run = subprocess.run(
            [
                *(sys.executable, "-c", PROGRAM, str(home)),
                *itertools.chain.from_iterable(places),
            ],
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


def _largest(weights, path, floatx):
    """The largest magnitude in the same array, or in the same layer."""
    layer = path.rpartition("/")[0]
    near = {
        "float64": [path],
        "float32": [p for p in weights if p.rpartition("/")[0] == layer],
    }
    return max(np.abs(weights[p]).max() for p in near[floatx])


def _column(path, name):
    with path.open() as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


def _places(run):
    """Folders on any other backend and devices than one CPU's TensorFlow."""
    folders = [path.parent for path in run.glob("*/*/run.json")]
    folders.remove(run.joinpath(*FIRST))
    assert len(folders) > 1
    return folders


@pytest.mark.parametrize(("kind", "floatx"), RUNS)
def test_losses_are_the_same_everywhere(home, kind, floatx):
    run = home / f"{kind}-{floatx}"
    want = _column(run.joinpath(*FIRST) / "losses.csv", "loss")
    assert len(want) == ITERATIONS[floatx]
    assert want[-1] != want[0]

    for folder in _places(run):
        np.testing.assert_allclose(
            _column(folder / "losses.csv", "loss"),
            want,
            rtol=TOLERANCE[floatx][0],
            err_msg=str(folder),
        )


@pytest.mark.parametrize("kind", KINDS)
def test_float64_losses_are_those_of_the_fixture(home, kind):
    run = home.joinpath(f"{kind}-float64", *FIRST)

    np.testing.assert_allclose(
        _column(run / "losses.csv", "loss"),
        json.loads(LOSSES.read_text())[kind],
        rtol=TOLERANCE["float64"][0],
    )


@pytest.mark.parametrize(("kind", "floatx"), RUNS)
def test_weights_and_moving_averages_are_the_same_everywhere(
    home, kind, floatx
):
    run = home / f"{kind}-{floatx}"
    want = _weights(run.joinpath(*FIRST))

    for folder in _places(run):
        got = _weights(folder)
        assert got.keys() == want.keys()
        for path, array in want.items():
            np.testing.assert_allclose(
                got[path],
                array,
                rtol=TOLERANCE[floatx][1],
                atol=TOLERANCE[floatx][1] * _largest(want, path, floatx),
                err_msg=f"{folder} {path}",
            )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_measured_is_one_number_and_the_same_everywhere(home, kind):
    """Validation and layer responses, on a copy that is on one device."""
    run = home / f"{kind}-float64"
    for name, column in (
        ("metrics.csv", "validation_loss"),
        ("responses.csv", "std"),
    ):
        want = _column(run.joinpath(*FIRST) / name, column)

        for folder in _places(run):
            np.testing.assert_allclose(
                _column(folder / name, column),
                want,
                rtol=1e-5,  # responses are reduced in float32
                err_msg=f"{folder} {name}",
            )


def test_run_json_names_the_devices(home):
    for folder in _places(home / "plain-float64"):
        info = json.loads((folder / "run.json").read_text())
        count = folder.name.partition(":")[2] or "1"
        assert info["options"]["devices"] == f"{count} cpu"
