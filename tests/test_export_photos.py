"""Exports of networks with views: whole images of any size and kind."""

import importlib.util

import numpy as np
import photo_folder
import pytest
from PIL import Image

import kresnet
from kresnet import sealed_folder
from kresnet.evaluation import evaluate
from kresnet.exporting import export
from kresnet.exporting.formats import NEEDS
from kresnet.prediction import predict
from kresnet.trained import open_trained
from kresnet.trained.runtimes import load_exported


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos of all sizes; some turned, transparent, CMYK, grey, narrow."""
    root = tmp_path_factory.mktemp("home") / "photos"
    folder = photo_folder.write_photos(root) / "test" / "apple"
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (5, 7, 4)).astype("uint8"))
    image = small.resize((140, 90))
    turned = Image.Exif()
    turned[0x0112] = 6
    image.convert("RGB").save(folder / "turned.jpg", exif=turned)
    image.save(folder / "transparent.png")
    image.convert("RGB").convert("CMYK").save(folder / "cmyk.jpg")
    image.convert("L").save(folder / "grey.png")
    image.convert("RGB").resize((9, 300)).save(folder / "narrow.png")
    return root


@pytest.fixture(scope="module")
def run(photos):
    spec = photo_folder.write_spec(photos.parent / "photos.yaml")
    return kresnet.train(
        spec,
        photos.parent / "run",
        data_dir=photos,
        overrides=["training.iterations=2", "training.learning_rate.at=[1]"],
    )


@pytest.fixture(scope="module", params=list(NEEDS))
def exported(request, run, photos):
    for package in NEEDS[request.param]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    out = photos.parent / request.param
    return export(run, out, format=request.param, data_dir=photos)


def rows(predictions):
    """Probabilities in the order of the class names."""
    return np.array([[p for _, p in sorted(e.classes)] for e in predictions])


def test_an_export_says_of_whole_files_what_the_run_says(run, exported, photos):
    files = sorted((photos / "test").rglob("*.*"))

    own, others = predict(run, files), predict(exported, files)

    assert [e.error for e in own + others] == [None] * 2 * len(files)
    assert [e.notices for e in own] == [e.notices for e in others]
    np.testing.assert_allclose(rows(others), rows(own), rtol=0, atol=1e-3)
    clear = -np.diff(-np.sort(-rows(own), axis=1)[:, :2], axis=1)[:, 0] > 2e-3
    assert clear.any()
    same = rows(own).argmax(axis=1) == rows(others).argmax(axis=1)
    assert same[clear].all()


def test_an_export_is_evaluated_on_whole_images(run, exported, photos):
    own, other = (evaluate(e, data_dir=photos) for e in (run, exported))

    np.testing.assert_allclose(other.loss, own.loss, atol=1e-3)
    assert other.protocol.views == own.protocol.views


def test_the_comparison_was_on_whole_images_of_all_classes(exported):
    compared = sealed_folder.verify(exported)["compared"]

    assert compared["images"] == 32 + 3
    assert 0 <= compared["largest_difference"] <= 1e-3


def test_a_batch_has_one_size_and_the_right_channels(exported):
    format = open_trained(exported).record.format
    probabilities, _ = load_exported(exported, format)
    rng = np.random.default_rng(0)
    for size in ((60, 80), (31, 17), (16, 16)):
        batch = rng.integers(0, 256, (3, *size, 3)).astype("uint8")

        found = probabilities(batch)

        assert (found.shape, found.dtype) == ((3, 3), "float32")
        for image, row in zip(batch, found, strict=True):
            np.testing.assert_allclose(
                probabilities(image[None])[0], row, atol=1e-5
            )
    for wrong in (batch.astype("float32"), batch[..., :1], batch[0]):
        with pytest.raises(Exception):  # noqa: B017, PT011, every runtime's own
            probabilities(wrong)
