"""Exports: used without kresnet, equal to the run, or not there at all."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from faults import serving

from kresnet import sealed_folder
from kresnet.data import load_dataset
from kresnet.errors import (
    BadDataError,
    CannotWriteError,
    InputMissingError,
    SpecError,
)
from kresnet.exporting import export
from kresnet.trained import open_trained, softmax
from kresnet.trained.measures import predict_logits

# The package has a function of the module's name.
MODULE = sys.modules["kresnet.exporting.export"]

# Written as somebody would who has TensorFlow and never heard of kresnet.
STRANGER = """
import json, sys
sys.modules["kresnet"] = sys.modules["keras"] = None
import numpy as np
import tensorflow as tf

folder, pixels, out = sys.argv[1:]
pixels = np.load(pixels)
model = tf.saved_model.load(folder)
wrong = {
    "float32": pixels.astype("float32"),
    "normalised": pixels / 16,
    "int64": pixels.astype("int64"),
    "NaN": np.full(pixels.shape, np.nan),
    "float tensor": tf.constant(pixels, tf.float32),
    "height": pixels[:, 1:],
    "channels": np.repeat(pixels, 3, axis=3),
    "one image": pixels[0],
}
accepted = []
for name, value in wrong.items():
    try:
        model.serve(value)
    except (TypeError, ValueError):
        continue
    accepted.append(name)
np.savez(
    out,
    *(model.serve(pixels[:size]).numpy() for size in (1, 2, 33, 360)),
    signatures=np.array(list(model.signatures), dtype=str),
    names=model.class_names().numpy().astype(str),
    accepted=np.array(accepted, dtype=str),
)
"""


@pytest.fixture(scope="module")
def test_images():
    return np.ascontiguousarray(load_dataset("digits").test_images)


@pytest.fixture(scope="module")
def expected(digits_run, test_images):
    model = open_trained(digits_run).inference_model()
    return softmax(predict_logits(model, test_images, batch_size=360))


@pytest.fixture(scope="module")
def used_by_a_stranger(exported, test_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stranger")
    np.save(folder / "pixels.npy", test_images)
    out = folder / "out.npz"
    program = [sys.executable, "-I", "-c", STRANGER]
    subprocess.run([*program, exported, folder / "pixels.npy", out], check=True)
    with np.load(out) as file:
        return dict(file)


def test_any_batch_gives_the_runs_probabilities_without_kresnet(
    used_by_a_stranger, expected
):
    for i, size in enumerate((1, 2, 33, 360)):
        found = used_by_a_stranger[f"arr_{i}"]

        assert found.dtype == np.float32
        assert found.shape == (size, 10)
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
        # Of another batch the sums are rounded in another order.
        atol = 1e-6 if size == 360 else 1e-5
        np.testing.assert_allclose(found, expected[:size], atol=atol, rtol=0)


def test_there_is_no_signature_that_would_cast_floats_to_bytes(
    used_by_a_stranger,
):
    assert used_by_a_stranger["signatures"].tolist() == []


def test_no_images_have_no_probabilities(exported):
    """With oneDNN too, whose convolution of no images has a wrong shape."""
    program = (
        "import sys, numpy as np, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "found = model.serve(np.zeros((0, 8, 8, 1), 'uint8'))\n"
        "print(found.shape, found.dtype.name)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, exported],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": "1"},
    )

    assert said.stdout == "(0, 10) float32\n"


def test_every_variable_is_held_once(digits_run, exported):
    data = exported / "variables" / "variables.data-00000-of-00001"
    weights = open_trained(digits_run).weights.values()

    held = sum(array.nbytes for array in weights)
    assert data.stat().st_size < 1.5 * held


def test_random_batches_give_what_predict_gives(digits_run, exported):
    generator = np.random.default_rng(0)

    serving.equal_to_predict(digits_run, exported, 10, generator)


def test_threads_at_once_get_the_bits_that_one_gets(digits_run, exported):
    generator = np.random.default_rng(0)

    assert (
        serving.equal_in_threads(digits_run, exported, 8, 20, generator) == 160
    )


def test_class_names_are_in_the_model_and_beside_it(
    exported, used_by_a_stranger
):
    names = used_by_a_stranger["names"].tolist()

    assert names == list("0123456789")
    assert json.loads((exported / "classes.json").read_text()) == names


def test_the_export_takes_raw_pixels_of_its_size_and_nothing_else(
    used_by_a_stranger,
):
    assert used_by_a_stranger["accepted"].tolist() == []


def test_the_comparison_is_in_the_manifest(exported):
    content = sealed_folder.verify(exported)

    assert content["compared"]["images"] == 128
    assert 0 < content["compared"]["largest_difference"] <= 1e-6


def test_an_export_knows_what_was_trained(digits_run, exported):
    found, run = open_trained(exported), open_trained(digits_run)

    assert found.record.format == "tf_saved_model"
    assert found.spec == run.spec
    assert found.identity == run.identity
    assert found.iteration == run.iteration


def test_an_existing_folder_is_not_overwritten(digits_run, exported, tmp_path):
    before = (exported / "manifest.json").read_bytes()
    for out in (exported, tmp_path):
        with pytest.raises(CannotWriteError, match="--out"):
            export(digits_run, out)
    assert (exported / "manifest.json").read_bytes() == before


def test_an_export_that_computes_something_else_is_not_kept(
    digits_run, tmp_path, monkeypatch
):
    write = MODULE.write_model

    def write_another(folder, format, model, class_names):
        wrong = keras.models.clone_model(model)
        wrong.set_weights([w * np.float32(0.999) for w in model.get_weights()])
        write(folder, format, wrong, class_names)

    monkeypatch.setattr(MODULE, "write_model", write_another)

    with pytest.raises(BadDataError, match=r"not exported: .* differ from"):
        export(digits_run, tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_an_export_that_does_not_load_is_not_kept(
    digits_run, tmp_path, monkeypatch
):
    def write_rubbish(folder, *_):
        (folder / "saved_model.pb").write_bytes(b"rubbish")

    monkeypatch.setattr(MODULE, "write_model", write_rubbish)

    with pytest.raises(BadDataError, match="without kresnet"):
        export(digits_run, tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_data_other_than_the_runs_are_refused(digits_run, tmp_path):
    run = open_trained(digits_run)
    other = dataclasses.replace(run, identity=run.identity.with_data("0"))

    with pytest.raises(BadDataError, match="other data"):
        export(other, tmp_path / "out")


def test_a_place_that_cannot_be_written_is_refused(digits_run, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(CannotWriteError, match="cannot be written"):
        export(digits_run, tmp_path / "file" / "out")


def test_other_backends_are_refused_with_the_command_that_works(
    digits_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")

    with pytest.raises(SpecError, match="KERAS_BACKEND=tensorflow kresnet"):
        export(digits_run, tmp_path / "out")


def test_unknown_formats_and_missing_packages_are_named(
    digits_run, tmp_path, monkeypatch
):
    with pytest.raises(SpecError, match="tf_saved_model, litert, onnx"):
        export(digits_run, tmp_path / "out", format="h5")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for format in ("litert", "onnx"):
        with pytest.raises(InputMissingError, match=rf"kresnet\[{format}\]"):
            export(digits_run, tmp_path / "out", format=format)


@pytest.mark.parametrize(
    ("format", "packages"),
    [
        ("litert", ["ai_edge_litert"]),
        ("onnx", ["onnx", "onnxruntime", "tf2onnx"]),
    ],
)
def test_other_formats_agree_with_the_run(
    digits_run, tmp_path, format, packages
):
    for package in packages:
        pytest.importorskip(package)

    folder = export(digits_run, tmp_path / "out", format=format)

    compared = sealed_folder.verify(folder)["compared"]
    assert 0 < compared["largest_difference"] <= 1e-4


def test_an_export_that_a_signal_ends_leaves_nothing_behind(
    digits_run, tmp_path
):
    """Neither files nor the process that compares; 0.1 s apart, as SLURM."""
    own = tmp_path / "own"
    own.mkdir()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "kresnet", "export", str(digits_run)),
            f"--out={tmp_path / 'exported'}",
        ],
        env={**os.environ, "TMPDIR": str(own)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (started := children.read_text().split()):
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        time.sleep(0.1)
        process.terminate()
        said = process.stderr.read()

    assert process.returncode == 143
    assert said.splitlines()[-1].endswith("SIGTERM")
    assert list(own.iterdir()) == []
    assert list(tmp_path.iterdir()) == [own]
    (child,) = started
    while Path(f"/proc/{child}/exe").exists():  # ends with its parent
        time.sleep(0.01)
