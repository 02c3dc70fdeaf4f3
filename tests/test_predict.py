"""Predicting: from a run or an export, and what is never loaded."""

import shutil

import numpy as np
import pytest
from PIL import Image

from kresnet import sealed_folder
from kresnet.cli import app
from kresnet.cli import run as run_command
from kresnet.data import load_dataset
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.prediction import predict
from kresnet.trained import open_trained, softmax
from kresnet.trained.measures import predict_logits

COUNT = 12


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Digits of the test set as somebody's files: 0 to 255."""
    folder = tmp_path_factory.mktemp("images with spaces, ümlauts")
    made = []
    for i, digit in enumerate(load_dataset("digits").test_images[:COUNT]):
        grey = np.rint(digit[..., 0] * (255 / 16)).astype("uint8")
        made.append(folder / f"{i}.png")
        Image.fromarray(grey).save(made[-1])
    return made


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copy")


def test_no_images_have_no_logits(digits_run, exported):
    images = load_dataset("digits").test_images[:0]
    for folder in (digits_run, exported):
        logits = open_trained(folder).logits(images)
        assert (logits.shape, logits.dtype) == ((0, 10), "float64")


def test_files_are_predicted_as_their_pixels_are(digits_run, paths):
    pixels = load_dataset("digits").test_images[:COUNT]
    model = open_trained(digits_run).inference_model()
    rows = softmax(predict_logits(model, pixels))

    found = predict(digits_run, paths, top=10)

    assert [p.path for p in found] == paths
    for prediction, row in zip(found, rows, strict=True):
        assert prediction.error is None
        assert prediction.notices == ()
        np.testing.assert_allclose(
            [p for _, p in prediction.classes], np.sort(row)[::-1], atol=1e-5
        )
        assert prediction.classes[0][0] == str(row.argmax())


def test_a_run_and_its_export_say_the_same(digits_run, exported, paths):
    own, others = predict(digits_run, paths), predict(exported, paths)

    for a, b in zip(own, others, strict=True):
        assert len(a.classes) == 5
        assert a.classes[0][0] == b.classes[0][0]
        np.testing.assert_allclose(
            [p for _, p in a.classes], [p for _, p in b.classes], atol=1e-5
        )


def test_a_bad_file_does_not_stop_the_others(digits_run, paths, tmp_path):
    cut = tmp_path / "cut.png"
    cut.write_bytes(paths[0].read_bytes()[:60])
    mixed = [paths[0], cut, paths[1], tmp_path / "none.png"]

    found = predict(digits_run, mixed, top=1)

    assert [bool(p.classes) for p in found] == [True, False, True, False]
    assert [p.error and p.error.exit_code for p in found] == [
        None,
        65,
        None,
        66,
    ]
    alone = predict(digits_run, paths[1:2], top=1)
    assert found[2].classes[0][0] == alone[0].classes[0][0]


def test_no_class_is_named_twice_and_at_least_one(digits_run, paths):
    (found,) = predict(digits_run, paths[:1], top=99)
    assert sorted(name for name, _ in found.classes) == list("0123456789")

    with pytest.raises(SpecError, match="--top"):
        predict(digits_run, paths, top=0)


@pytest.mark.parametrize(
    "name",
    [
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "classes.json",
        "manifest.json",
    ],
)
def test_a_changed_or_missing_file_of_an_export_is_found(copy, paths, name):
    file = copy / name
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(BadDataError, match=r"SHA-256|not a manifest"):
        predict(copy, paths)

    file.unlink()
    with pytest.raises(BadDataError):
        predict(copy, paths)


def test_a_file_added_to_an_export_is_found(copy, paths):
    (copy / ".DS_Store").write_bytes(b"left by a file manager")
    predict(copy, paths[:1])

    (copy / "saved_model.cpb").write_bytes(b"which TensorFlow would prefer")
    with pytest.raises(BadDataError, match=r"saved_model\.cpb"):
        predict(copy, paths)


def test_sealed_folders_of_another_kind_are_no_exports(
    digits_run, paths, tmp_path
):
    checkpoint = next((digits_run / "checkpoints").glob("0*"))
    other = tmp_path / "other"
    with sealed_folder.create(other, {"kresnet_export": 2}):
        pass

    for folder in (checkpoint, other):
        with pytest.raises(BadDataError, match="not an export"):
            predict(folder, paths)


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.pkl", "net.onnx"])
def test_model_files_from_elsewhere_are_never_loaded(tmp_path, paths, name):
    (tmp_path / name).write_bytes(b"import os")

    with pytest.raises(SpecError, match="own folders only"):
        predict(tmp_path / name, paths)


def test_folders_kresnet_did_not_write_are_refused(tmp_path, paths):
    with pytest.raises(SpecError, match="neither"):
        predict(tmp_path, paths)
    (tmp_path / "saved_model.pb").write_bytes(b"from elsewhere")
    with pytest.raises(BadDataError, match="not exported by kresnet"):
        predict(tmp_path, paths)
    with pytest.raises(InputMissingError, match="no such folder"):
        predict(tmp_path / "none", paths)


def command(capsys, *arguments):
    code = run_command(app, ["predict", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_counts_and_answers_with_an_exit_code(
    digits_run, paths, tmp_path, capsys
):
    none, text = tmp_path / "none.png", tmp_path / "text.png"
    text.write_text("no image")
    Image.new("RGB", (16, 8)).save(tmp_path / "wide.png")

    code, out, err = command(
        capsys, digits_run, paths[0], tmp_path / "wide.png", "--top=2"
    )
    assert code == 0
    assert out.count(" %  ") == 4
    assert "resized from 16×8 to 8×8" in err
    assert err.endswith("2 ok, 0 failed\n")

    code, out, err = command(capsys, digits_run, none, paths[0], text)
    assert code == 65
    assert str(paths[0]) in out
    assert f"{text}: not an image" in err
    assert err.endswith("1 ok, 2 failed\n")

    code, out, err = command(capsys, digits_run, none, paths[0])
    assert code == 66
    assert err.endswith("1 ok, 1 failed\n")
