"""Environment variables of the backends: refused, or obeyed and recorded."""

import os
import subprocess
import sys

import pytest

from kresnet.cli import app, run
from kresnet.machine.surroundings import ARITHMETIC, THREADS

PROGRAM = """
from pathlib import Path

import keras
import numpy as np

import kresnet
from kresnet.callbacks import ResponseProbe
from kresnet.errors import SpecError
from kresnet.trained.measures import predict_logits


def said(what, kind):
    try:
        what()
    except kind as error:
        return str(error)
    raise AssertionError("not refused")


inputs = keras.Input((1,))
net = keras.Model(inputs, keras.layers.Dense(1)(inputs))
images = np.zeros((1_000, 1))
for limit in ("max_epochs", "max_steps_per_epoch"):
    put = getattr(keras.config, f"set_{limit}")
    put(1)
    name = f"KERAS_{limit.upper()}: must not be set"
    assert name in said(lambda: kresnet.train("digits", "run"), SpecError)
    assert name in said(lambda: predict_logits(net, images), SpecError)
    if limit == "max_steps_per_epoch":
        probe = ResponseProbe(net, {"y": net.output})
        text = said(lambda: probe.moments(images), ValueError)
        assert "values of 100 of 1000 `images`" in text
    put(None)
assert not Path("run").exists()


class Ending(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = True


# Nothing is finished that was not trained.
two = ["training.iterations=2", "training.learning_rate.at=[]"]
kresnet.train("digits", "run", overrides=two, callbacks=[Ending()])
assert len(Path("run/losses.csv").read_text().splitlines()) == 1 + 2
assert '"status": "finished"' in Path("run/run.json").read_text()
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_nothing_is_finished_that_keras_was_told_to_end_early(backend):
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        check=True,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KERAS_BACKEND", "torch"),
        ("KERAS_BACKEND", "numpy"),
        ("KERAS_BACKEND", "nonsense"),
        ("KERAS_BACKEND", "TensorFlow"),
        ("KERAS_MAX_EPOCHS", "1"),
        ("KERAS_MAX_EPOCHS", "-1"),
        ("KERAS_MAX_STEPS_PER_EPOCH", "8"),
        ("KERAS_MAX_STEPS_PER_EPOCH", "many"),
        ("KERAS_MAX_STEPS_PER_EPOCH", ""),
        ("KERAS_NNX_ENABLED", "true"),
    ],
)
def test_what_keras_would_obey_is_refused_by_every_command(
    monkeypatch, capsys, name, value
):
    monkeypatch.setenv(name, value)

    for command in (
        ["train", "digits"],
        ["evaluate", "run"],
        ["export", "run"],
        ["predict", "run", "image"],
        ["responses", "run"],
        ["devices"],
        ["bench", "digits"],
    ):
        assert run(app, command) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"{name}: must ")
        assert said.endswith(f"Received: {value}\n")
        assert said.count("\n") == 1


def test_a_backend_that_is_not_there_is_refused_by_the_package_too():
    program = """
import sys
from kresnet.errors import InputMissingError, SpecError

try:
    from kresnet import train
except SpecError as error:
    print(error)
import kresnet
kresnet.load_spec("digits")
import os
os.environ["KERAS_BACKEND"] = "jax"
sys.modules["jax"] = None
try:
    kresnet.build_model
except InputMissingError as error:
    print(error)
assert "keras" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "KERAS_BACKEND: must be tensorflow or jax. Received: torch",
        "KERAS_BACKEND: jax is not installed here",
    ]


def test_a_value_that_jax_does_not_take_is_wrong():
    done = subprocess.run(
        [sys.executable, "-m", "kresnet", "devices", "digits"],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_NUM_CPU_DEVICES": "nonsense",
        },
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Keras cannot be imported: ")
    assert "jax_num_cpu_devices" in last


def test_devices_that_jax_does_not_have_are_missing():
    """In one process: JAX asks the variable again as long as it has none."""
    program = """
import os, sys
from kresnet.cli import app
from kresnet.cli import run

for platforms, code in (("cuda", 69), ("tpu", 69), ("nonsense", 2)):
    import jax
    jax.config.update("jax_platforms", platforms)
    for more in ([], ["--devices=cpu:2"], ["--devices=1"]):
        assert run(app, ["devices", "digits", *more]) == code
    from kresnet import build_model, load_spec
    try:
        build_model(load_spec("digits").model)
    except Exception as error:
        assert error.exit_code == code, error
    else:
        raise AssertionError("not refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    lines = done.stderr.replace("loading Keras\n", "").splitlines()
    assert "no device of JAX_PLATFORMS=cuda" in lines[0]
    assert "JAX_PLATFORMS: must be some of cpu, cuda, gpu" in lines[-1]
    assert len(lines) == 9


def test_what_changes_the_bits_is_recorded_and_goes_along_to_nodes(monkeypatch):
    from kresnet.machine.facts import hardware
    from kresnet.study.engines.on_nodes import environment_on_node

    changed = {
        "NVIDIA_TF32_OVERRIDE": "0",
        "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
        "TF_SET_ONEDNN_FPMATH_MODE": "",
    }
    assert changed.keys() <= set(ARITHMETIC)
    for name in (*ARITHMETIC, *THREADS):
        monkeypatch.delenv(name, raising=False)
    for name, value in changed.items():
        monkeypatch.setenv(name, value)

    assert hardware()["flags"] == changed
    passed = environment_on_node(cpus=2, gpus=0)
    assert changed.items() <= passed.items()
    assert {passed[name] for name in THREADS} == {"2"}
