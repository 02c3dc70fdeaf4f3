"""Folders of photos: what is there, what is seen of it, and damage."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import kresnet
from kresnet.data.folder import Folder
from kresnet.data.views import Box, resized, test_box, train_box
from kresnet.errors import BadDataError, InputMissingError
from kresnet.spec import TestView, TrainView, load_spec

SPEC = """
name: photos
model:
  input: [16, 16, 3]
  stem: {kernel: 3, width: 4, stride: 1}
  stages:
    - {block: basic, shortcut: B, blocks: 1, width: 4, stride: 2}
  classes: 2
  batch_norm: {images_per_statistic: null, momentum: 0.9, epsilon: 1e-5}
data:
  dataset: folder
  validation: 4
  views:
    train: {shorter_side: [18, 30], crop: random}
    test: {shorter_side: 18, crop: center}
  transforms:
    - {layer: channel_standardize}
    - {layer: random_flip}
training:
  batch_size: 8
  iterations: 12
  learning_rate: {start: 0.05, divide_by: 10, at: []}
  momentum: 0.9
  weight_decay: 1e-4
  evaluate_every: 4
"""


@pytest.fixture
def photos(tmp_path):
    """A folder of 2 × 12 training and 2 × 3 test photos of many sizes."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 3)):
        for label, name in enumerate(("cats", "dogs")):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                height, width = rng.integers(20, 60, 2)
                pixels = rng.integers(0, 128, (height, width, 3)) + 100 * label
                kind = ("png", "jpg", "webp", "bmp")[i % 4]
                image = Image.fromarray(pixels.astype("uint8"))
                image.save(folder / f"{i}.{kind}")
    return tmp_path / "photos"


@pytest.fixture
def spec_file(tmp_path):
    (tmp_path / "photos.yaml").write_text(SPEC, "utf-8")
    return tmp_path / "photos.yaml"


def open_photos(photos, spec_file):
    spec = load_spec(spec_file)
    return Folder("folder", photos, spec.model.input, spec.data.views)


def test_classes_are_the_folders_and_pixels_have_the_size(photos, spec_file):
    data = open_photos(photos, spec_file)

    assert data.class_names == ("cats", "dogs")
    assert data.labels("train").tolist() == [0] * 12 + [1] * 12
    pixels = data.read("test", slice(None))
    assert (pixels.shape, pixels.dtype) == ((6, 16, 16, 3), np.uint8)


def test_what_a_key_draws_does_not_depend_on_the_others(photos, spec_file):
    data = open_photos(photos, spec_file)
    indices = np.arange(24)
    keys = np.random.default_rng(1).integers(0, 2**64, 24, dtype=np.uint64)

    whole = data.read("train", indices, keys)

    order = np.random.default_rng(2).permutation(24)
    shuffled = open_photos(photos, spec_file).read(
        "train", indices[order], keys[order]
    )
    np.testing.assert_array_equal(shuffled, whole[order])
    assert (data.read("train", indices, keys + np.uint64(1)) != whole).any()


def test_boxes_lie_in_the_image_and_have_the_drawn_scale():
    view = TrainView(shorter_side=(18, 30), crop="random")
    sides = set()
    for key in range(2_000):
        box = train_box(view, (60, 40), (16, 16), key)
        assert 0 <= box.left < box.right <= 60 + 1e-9
        assert 0 <= box.top < box.bottom <= 40 + 1e-9
        sides.add(round(16 * 40 / (box.bottom - box.top)))
    assert sides == set(range(18, 31))


def test_areas_and_aspects_are_in_their_ranges():
    view = TrainView(area=(0.08, 1.0), aspect=(0.75, 4 / 3))
    for key in range(2_000):
        left, top, right, bottom = train_box(view, (600, 400), (224, 224), key)
        share = (right - left) * (bottom - top) / (600 * 400)
        assert 0.078 < share <= 1
        assert 0.74 < (right - left) / (bottom - top) < 1.35


def test_the_test_view_is_the_centre_of_the_resized_image():
    """A box at the very size of the output is cut out, pixel for pixel."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 64, 3), np.uint8)
    image = Image.fromarray(pixels)

    box = test_box(TestView(shorter_side=40, crop="center"), (64, 40), (32, 32))

    assert box == Box(16, 4, 48, 36)
    np.testing.assert_array_equal(
        resized(image, box, (32, 32)), pixels[4:36, 16:48]
    )


def test_a_whole_image_is_resized_as_pillow_does_it_in_two_passes():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 30, 3), np.uint8)
    image = Image.fromarray(pixels)
    bilinear = Image.Resampling.BILINEAR

    got = resized(image, Box(0, 0, 30, 50), (16, 20))

    want = image.resize((16, 50), bilinear).resize((16, 20), bilinear)
    np.testing.assert_array_equal(got, np.asarray(want))


def test_damaged_and_vanished_images_are_named(photos, spec_file):
    data = open_photos(photos, spec_file)
    first = photos / "train" / "cats" / "0.png"
    size = first.stat().st_size
    first.write_bytes(b"x" * size)
    with pytest.raises(BadDataError, match=r"cats/0\.png"):
        data.read("train", [0])

    first.unlink()
    with pytest.raises(InputMissingError, match=r"cats/0\.png"):
        data.read("train", [0])


def test_a_folder_without_classes_or_parts_is_said(tmp_path, spec_file):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputMissingError, match="must have a folder train"):
        open_photos(tmp_path / "empty", spec_file)


def test_a_run_on_photos_is_continued_bit_for_bit(
    photos, spec_file, tmp_path, monkeypatch
):
    """Ended by a damaged image within an epoch of 20 images, 2.5 batches."""
    whole = kresnet.train(spec_file, tmp_path / "whole", data_dir=photos)
    once, seen = Folder._image, []

    def damaged(self, part, index, key):
        if key is not None:
            seen.append(index)
            if len(seen) > 56:
                raise BadDataError("train/cats/0.png: is damaged")
        return once(self, part, index, key)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "_image", damaged)
        with pytest.raises(BadDataError, match="damaged"):
            kresnet.train(spec_file, tmp_path / "cut", data_dir=photos)
    cut = kresnet.train(spec_file, tmp_path / "cut", data_dir=photos)

    assert weights(cut).keys() == weights(whole).keys()
    for name, array in weights(whole).items():
        np.testing.assert_array_equal(weights(cut)[name], array, err_msg=name)
    losses = [(run / "losses.csv").read_bytes() for run in (whole, cut)]
    assert losses[0] == losses[1]
    record = json.loads((whole / "run.json").read_text("utf-8"))
    assert record["class_names"] == ["cats", "dogs"]
    assert record["versions"]["pillow"]


def weights(run):
    (last,) = run.glob("checkpoints/*12")
    return load_file(last / "weights.safetensors")
