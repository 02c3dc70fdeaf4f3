"""What Keras is set to outside of kresnet does not change what comes out."""

import json
import os
import subprocess
import sys

import keras
import pytest

import kresnet
from kresnet.errors import SpecError
from kresnet.machine.surroundings import refuse_settings_file
from kresnet.trained import open_trained

# Does everything as Keras is by default, then under other global settings;
# then what must be refused. Prints that it got to its end.
PROGRAM = """
import sys
from pathlib import Path
import keras, numpy as np, pytest
import kresnet
from kresnet.callbacks import LayerResponses
from kresnet.errors import SpecError
from kresnet.trained.statistics import observer
from kresnet.layers import Rematerialized, ShortcutA
from kresnet.spec import load_spec
from kresnet.trained import open_trained

on_tensorflow = keras.backend.backend() == "tensorflow"
home = Path(sys.argv[1])
stage = "{block: plain, blocks: 1, width: 32, stride: 2}"
plain = load_spec("digits", [f"model.stages=[{stage}]"]).model
changes = ["training.iterations=4", "training.learning_rate.at=[]",
           f"model.stages=[{stage}]"]
images = np.random.default_rng(0).normal(9.0, 5.0, (64, 8, 8, 1))
images = images.astype("float32")

inputs = keras.Input((8, 8, 1))
stem = keras.layers.Dense(4)(inputs)
theirs = keras.Model(inputs, stem)

def outcome(name):
    networks = [
        kresnet.build_model(plain, 0),
        kresnet.build_model(plain, 0, precision="bfloat16"),
        kresnet.build_model(load_spec("digits").model, 0),
    ]
    run = kresnet.train("digits", home / name, overrides=changes)
    found = [
        *(keras.ops.convert_to_numpy(n(images)) for n in networks),
        *open_trained(run).weights.values(),
    ]
    found.append(observer(networks[0]).predict_on_batch(images))
    responses = LayerResponses(
        theirs, {"stem": stem}, {}, 1e4 * images, 1, 1, write=None)
    found.append(np.array(responses.measure()[0][0]["std"]))
    return found

want = outcome("usual")
assert keras.config.dtype_policy().name == "float32"
keras.config.set_dtype_policy("mixed_float16")
keras.config.set_image_data_format("channels_first")
keras.config.set_epsilon(1.0)
for new, old in zip(outcome("unusual"), want, strict=True):
    np.testing.assert_array_equal(new, old)
    assert new.dtype == old.dtype
assert keras.config.dtype_policy().name == "mixed_float16"
if on_tensorflow:
    kresnet.export(home / "unusual")  # which compares it with the run
again = Rematerialized(theirs)(1e6 * images)
np.testing.assert_array_equal(again, theirs(1e6 * images))
shortcut = ShortcutA(4, 2)
assert shortcut(images).shape == shortcut.compute_output_shape(images.shape)
keras.config.set_floatx("float16")
np.testing.assert_array_equal(kresnet.build_model(plain, 0)(images), want[0])

def refused(match, **options):
    with pytest.raises(SpecError, match=match):
        kresnet.train("digits", home / "refused", overrides=changes, **options)
    assert not (home / "refused").exists()

refused("floatx.* must be float32 or float64. Received: float16")
keras.config.set_floatx("float64")
if on_tensorflow:
    import tensorflow as tf

    refused("bfloat16 needs", precision="bfloat16")
    keras.config.set_floatx("float32")
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        refused("tf.distribute strategy")
    tf.config.optimizer.set_experimental_options(
        {"auto_mixed_precision": True})
    refused("auto_mixed_precision must be off")
else:
    refused("JAX_ENABLE_X64=1")
    with pytest.raises(SpecError, match="JAX_ENABLE_X64=1"):
        open_trained(home / "usual")
    keras.config.set_floatx("float32")
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    refused("keras.distribution must not be set")
print("done")
"""


def done_with(backend, home):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home)],
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout) == (0, "done\n"), ran.stderr


def test_a_caller_s_policy_data_format_and_epsilon_change_no_bit(tmp_path):
    """Networks, a training, its measurements, an export; others are refused."""
    done_with("tensorflow", tmp_path)


def test_nor_do_they_on_jax(tmp_path):
    pytest.importorskip("jax")
    done_with("jax", tmp_path)


def test_a_run_is_used_in_the_float_type_it_was_trained_in(digits_run):
    keras.config.set_floatx("float64")
    try:
        with pytest.raises(SpecError, match=r"was trained in float32.*float64"):
            open_trained(digits_run)
        with pytest.raises(SpecError, match=r"was trained in float32.*float64"):
            kresnet.evaluate(digits_run)
    finally:
        keras.config.set_floatx("float32")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"floatx": "float16"}, "floatx: must be float32 or float64"),
        ({"floatx": "bfloat16"}, "floatx: must be float32 or float64"),
        ({"floatx": ["float32"]}, "floatx: must be float32 or float64"),
        ({"epsilon": 1}, "epsilon: must be a number with a decimal point"),
        ({"image_data_format": 1}, "image_data_format: must be channels_last"),
        ({"backend": "torch"}, "backend: must be tensorflow or jax"),
        ({"nnx_enabled": True}, "nnx_enabled: must be False"),
        (["floatx"], "must hold an object"),
    ],
)
def test_keras_settings_file_is_refused_by_its_name(
    settings, said, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    file = tmp_path / "keras.json"
    file.write_text(json.dumps(settings))

    with pytest.raises(SpecError) as error:
        refuse_settings_file()

    assert str(error.value).startswith(f"{file}: {said}")


def test_a_settings_file_that_keras_can_obey_is_not_refused(
    tmp_path, monkeypatch
):
    """Nor the backend in it, where KERAS_BACKEND names another."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    file = tmp_path / "keras.json"
    for text in (
        '{"floatx": "float64", "epsilon": 0.5, "backend": "torch", "new": 1}',
        '{"image_data_format": "channels_first"}',
        "no JSON",
    ):
        file.write_text(text)
        refuse_settings_file()
    file.unlink()
    refuse_settings_file()


def test_a_settings_file_that_nests_without_end_is_refused(
    tmp_path, monkeypatch
):
    """Keras reads it again, and would end with it."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text("[" * 100_000)

    with pytest.raises(SpecError, match="must hold an object"):
        refuse_settings_file()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_settings_file_that_is_no_file_is_refused(
    kind, tmp_path, monkeypatch
):
    """Keras would wait for a pipe's other end, and end with a folder."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    file = tmp_path / "keras.json"
    file.mkdir() if kind == "folder" else os.mkfifo(file)

    with pytest.raises(SpecError, match=r"keras\.json: "):
        refuse_settings_file()


def test_the_command_ends_with_2_on_such_a_file(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float16"}')

    ran = subprocess.run(
        [sys.executable, "-m", "kresnet", "train", "digits", "--out", "run"],
        cwd=tmp_path,
        env={**os.environ, "KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 2
    assert "floatx: must be float32 or float64" in ran.stderr
    assert not (tmp_path / "run").exists()
