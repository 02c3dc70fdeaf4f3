"""The papers' tests of photos, against a program that does them by itself.

It takes an image at a time with Pillow and computes the network with NumPy.
"""

import dataclasses
import functools
import itertools
import math
import os
import shutil
import subprocess
import sys

import numpy as np
import photo_folder
import pytest
from PIL import Image

import kresnet
from kresnet.cli import app
from kresnet.cli import run as run_command
from kresnet.data import open_source
from kresnet.errors import BadDataError, SpecError
from kresnet.evaluation import View, evaluate
from kresnet.evaluation.evaluate import images_of
from kresnet.evaluation.view_logits import view_logits
from kresnet.network import all_variables, build_model, build_transforms
from kresnet.network.fully_convolutional import DenseEverywhere
from kresnet.records.evaluation import read_evaluation
from kresnet.spec import TestView, load_spec
from kresnet.trained import open_trained, softmax
from kresnet.trained.arrays import to_arrays

CHANGES = (
    # Maps of 8, 4 and 2: at other sizes they have odd sides and positions.
    "model.stem.pool={kernel: 3, stride: 2, padding: end}",
    "model.stages=[{block: basic, shortcut: A, blocks: 1, width: 8, stride: 1},"
    " {block: basic, shortcut: A, blocks: 1, width: 12, stride: 2}]",
    "data.transforms=[{layer: per_pixel_mean}, {layer: rescale, divide_by: 64},"
    " {layer: random_flip}]",
)
INPUT, TEST_SIDE = 16, 18


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with photos and a run on them."""
    home = tmp_path_factory.mktemp("home")
    photos = photo_folder.write_photos(home / "photos")
    photo_folder.write_photos(photos, ("validation",), count=1)
    for name, changes in (
        ("run", CHANGES),
        ("coloured", ["training.evaluate_every=12"]),
    ):
        kresnet.train(
            photo_folder.write_spec(home / "photos.yaml"),
            home / name,
            overrides=changes,
            data_dir=photos,
        )
    return home


@pytest.fixture
def run(home):
    return open_trained(home / "run")


def convolved(x, layer, stride=1):
    """Padded evenly, without a bias."""
    kernel = layer.get_weights()[0].astype("float64")
    side = len(kernel)
    x = np.pad(x, [(side // 2, side // 2)] * 2 + [(0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), (0, 1))
    return np.einsum(
        "yxcij,ijcf->yxf", windows[::stride, ::stride], kernel, optimize=True
    )


def normed(x, layer):
    gamma, beta, mean, variance = layer.get_weights()
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


def pooled(x):
    """3×3 windows at stride 2 that hang over at the end alone, as in Caffe."""
    rows, columns = (math.ceil((n - 3) / 2) + 1 for n in x.shape[:2])
    return np.array(
        [
            [
                x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((0, 1))
                for j in range(columns)
            ]
            for i in range(rows)
        ]
    )


class Program:
    """The network of a run, in NumPy, for one image of any size."""

    def __init__(self, run):
        transforms, network = run.layers()
        self.mean = np.asarray(transforms[0].mean, "float64")
        self.layer = network.get_layer

    def logits(self, pixels, mean):
        """At each position, float64 `(rows, columns, classes)`."""
        layer = self.layer
        x = (pixels.astype("float64") - mean) / 64
        x = convolved(x, layer("conv1"), 2)
        x = pooled(np.maximum(normed(x, layer("conv1_bn")), 0))
        for place, stride in (("conv2_1", 1), ("conv3_1", 2)):
            y = convolved(x, layer(f"{place}_conv1"), stride)
            y = np.maximum(normed(y, layer(f"{place}_bn1")), 0)
            y = convolved(y, layer(f"{place}_conv2"))
            y = normed(y, layer(f"{place}_bn2"))
            x = x[::stride, ::stride]
            zeros = np.zeros((*x.shape[:2], y.shape[2] - x.shape[2]))
            x = np.maximum(np.concatenate([x, zeros], 2) + y, 0)
        kernel, bias = layer("fc").get_weights()
        windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), (0, 1))
        return windows.mean((3, 4)) @ kernel + bias

    def single(self, image):
        """Probabilities of the crop in the centre."""
        return self.of_crop(image, TEST_SIDE, 0.5, 0.5)

    def of_crop(self, image, side, across, down, mirrored=False):
        scale = min(image.size) / side
        left = across * (image.width - INPUT * scale)
        top = down * (image.height - INPUT * scale)
        box = (left, top, left + INPUT * scale, top + INPUT * scale)
        seen = resized(image, box, (INPUT, INPUT))
        seen = seen[:, ::-1] if mirrored else seen
        ((logits,),) = self.logits(seen, self.mean)
        return probabilities(logits)

    def flipped(self, image):
        both = (self.of_crop(image, TEST_SIDE, 0.5, 0.5, m) for m in (0, 1))
        return np.mean([*both], axis=0)

    def ten_crops(self, image):
        places = [*itertools.product((0, 1), (0, 1)), (0.5, 0.5)]
        return np.mean(
            [
                self.of_crop(image, TEST_SIDE, *place, mirrored)
                for place in places
                for mirrored in (False, True)
            ],
            axis=0,
        )

    def grid(self, image, sides):
        quarters = (0, 0.25, 0.5, 0.75, 1)
        return np.mean(
            [
                self.of_crop(image, side, across, down, mirrored)
                for side in sides
                for across in quarters
                for down in quarters
                for mirrored in (False, True)
            ],
            axis=0,
        )

    def dense(self, image, sides, mirrors=(False,)):
        found = []
        for side in sides:
            scale = side / min(image.size)
            size = round(image.width * scale), round(image.height * scale)
            whole = resized(image, (0, 0, *image.size), size)
            for mirrored in mirrors:
                pixels = whole[:, ::-1] if mirrored else whole
                logits = self.logits(pixels, self.mean.mean((0, 1)))
                found.append(probabilities(logits.mean((0, 1))))
        return np.mean(found, axis=0)

    def dense_and_grid(self, image, sides):
        dense = self.dense(image, sides, (False, True))
        return (dense + self.grid(image, sides)) / 2


def resized(image, box, size):
    """Across and then down, each rounded to bytes."""
    left, top, right, bottom = box
    right, bottom = min(right, image.width), min(bottom, image.height)
    across = image.resize(
        (size[0], image.height), 2, (max(left, 0), 0, right, image.height)
    )
    down = across.resize(size, 2, (0, max(top, 0), size[0], bottom))
    return np.asarray(down)


def probabilities(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


# 16 · 8/7 is 18 and so on, as 224 · 8/7 is 256.
TESTS = {
    "single, flip": (View(flip=True), Program.flipped),
    "ten-crop": (View("ten-crop"), Program.ten_crops),
    "dense": (
        View("dense"),
        functools.partial(Program.dense, sides=(16, 18, 27, 34, 46)),
    ),
    "dense, flip": (
        View("dense", (17, 29), flip=True),
        functools.partial(Program.dense, sides=(17, 29), mirrors=(False, True)),
    ),
    "multi-crop": (
        View("multi-crop"),
        functools.partial(Program.grid, sides=(18, 27, 37)),
    ),
    "dense-and-crop": (
        View("dense-and-crop", (18, 21)),
        functools.partial(Program.dense_and_grid, sides=(18, 21)),
    ),
}


@pytest.mark.parametrize("case", TESTS)
def test_a_test_is_what_a_program_of_its_own_computes(case, run, home):
    view, by_itself = TESTS[case]
    every = images_of(run, "test", home / "photos")
    step = 4 if view.kind in ("single", "ten-crop", "dense") else 10
    images = dataclasses.replace(every, indices=every.indices[::step])
    program = Program(run)

    got = np.exp(view_logits(run, images, view))

    want = []
    for i in images.indices:
        name = every.source.splits["test"].names[i]
        with Image.open(home / "photos" / "test" / name) as image:
            want.append(by_itself(program, image.convert("RGB")))
    # Of a crop a byte may be rounded the other way: its box is no whole number.
    dense = view.kind == "dense"
    np.testing.assert_allclose(got, want, atol=2e-5 if dense else 1e-4)
    assert np.std(want, axis=0).min() > 3e-3  # images differ


def test_loss_and_errors_are_those_of_the_mean_probabilities(run, home):
    view = View("ten-crop")
    images = images_of(run, "test", home / "photos")

    found = evaluate(run, data_dir=home / "photos", view=view)

    probabilities = np.exp(view_logits(run, images, view))
    np.testing.assert_allclose(probabilities.sum(1), 1)
    own = probabilities[np.arange(27), images.labels]
    assert found.loss == pytest.approx(-np.log(own).mean())
    wrong = probabilities.argmax(1) != images.labels
    assert found.error == pytest.approx(100 * wrong.mean())


def test_a_dense_test_of_a_square_of_the_input_s_size_is_the_single_crop(
    home, tmp_path
):
    """With a mean colour; a mean image has another value at every place."""
    run = open_trained(home / "coloured")
    side = run.spec.model.input[0]
    views = run.spec.data.views
    square = tmp_path / "test" / "apple"
    square.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3))
    Image.fromarray(pixels.astype("uint8")).save(square / "1.png")
    shutil.copytree(home / "photos" / "train", tmp_path / "train")
    source = open_source(run.spec, tmp_path)
    source.views = views.model_copy(
        update={"test": TestView(shorter_side=side, crop="center")}
    )
    images = source.images("test")

    dense = view_logits(run, images, View("dense", (side,)))

    single = run.logits(images)
    apart = dense - single
    assert np.ptp(apart) < 3e-5 * single.std()


def test_one_program_serves_all_sizes(run, home, monkeypatch):
    """TensorFlow takes three traces to see that height and width vary."""
    images = images_of(run, "test", home / "photos")
    traced = []
    call = DenseEverywhere.call
    monkeypatch.setattr(
        DenseEverywhere,
        "call",
        lambda self, x: traced.append(x.shape) or call(self, x),
    )

    view_logits(run, images, View("dense"))

    assert len(traced) <= 1 + 3  # one to build the model
    assert traced[-1][1:3] == (None, None)


def test_jax_finds_the_same_and_says_that_it_compiles_every_size(
    home, tmp_path
):
    pytest.importorskip("jax")
    photos = home / "photos"
    view = View("dense", (16, 23), flip=True)
    want = evaluate(home / "run", "validation", data_dir=photos, view=view)

    ran = subprocess.run(
        [
            *(sys.executable, "-m", "kresnet", "evaluate", home / "run"),
            *("--data-dir", photos, "--out", tmp_path, "--view", "dense"),
            *("--scales", "16,23", "--flip", "--split", "validation"),
        ],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 0, ran.stderr
    assert "on JAX the network is compiled for every size" in ran.stderr
    (path,) = tmp_path.glob("evaluation-validation-*.json")
    got = read_evaluation(path)
    assert got.loss == pytest.approx(want.loss, rel=1e-5)
    assert got.confusion == want.confusion


def test_each_protocol_has_its_words_and_its_file(home, tmp_path):
    for view, words, name in (
        (View(), "one crop in the centre, 16×16 at shorter side 18", ""),
        (View(flip=True), "and its mirror image", "-flip"),
        (View("ten-crop"), "10 crops, the corners", "-ten-crop"),
        (
            View("dense", (17, 20), flip=True),
            "shorter side 17, 20 and its mirror image, logits averaged over"
            " positions, the mean colour in the place of the per-pixel mean;",
            "-dense-17px-20px-flip",
        ),
    ):
        found = evaluate(
            home / "run", data_dir=home / "photos", out=tmp_path, view=view
        )
        assert words in found.protocol.views
        assert (found.protocol.view, found.protocol.mirrored) == (
            view.kind,
            view.mirrored,
        )
        path = tmp_path / f"evaluation-test-moving-averages{name}.json"
        assert read_evaluation(path).model_dump() == found.model_dump()


REFUSED = {
    "unknown": (["--view=wide"], "--view: must be one of single, ten-crop"),
    "scales of one crop": (["--scales=64"], "--scales: goes with --view dense"),
    "too small": (
        ["--view=dense", "--scales=18,15"],
        "--scales: must be at least 16, the longer side of the input."
        " Received: 15",
    ),
    "no number": (
        ["--view=dense", "--scales=18,-2"],
        "--scales: must be lengths in pixels, such as 224,256,384. Received:"
        " 18,-2",
    ),
    "empty": (["--view=dense", "--scales="], "--scales: must be lengths"),
    "twice": (["--view=dense", "--scales=18,18"], "--scales: must differ"),
    "too many for a name": (
        ["--view=dense", f"--scales={','.join(map(str, range(20, 41)))}"],
        "--scales: must be at most 20 lengths. Received: 21",
    ),
    "flip of ten crops": (
        ["--view=ten-crop", "--flip"],
        "--flip: goes with --view single or dense",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_do_not_fit_are_refused(case, home, capsys):
    options, message = REFUSED[case]
    before = sorted((home / "run").iterdir())

    code = run_command(app, ["evaluate", str(home / "run"), *options])

    assert code == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert sorted((home / "run").iterdir()) == before


@pytest.mark.parametrize("kind", ["ten-crop", "dense", "multi-crop"])
def test_images_of_one_size_have_no_crops_and_one_message_says_so(
    digits_run, kind, tmp_path
):
    with pytest.raises(SpecError, match="have its size and are seen whole"):
        evaluate(digits_run, out=tmp_path, view=View(kind))
    assert list(tmp_path.iterdir()) == []


def test_the_mirror_image_of_images_of_one_size(digits_run, tmp_path):
    run = open_trained(digits_run)

    found = evaluate(run, out=tmp_path, view=View(flip=True))

    images = images_of(run, "test")
    both = [softmax(run.logits(x)) for x in (images[:], images[:][:, :, ::-1])]
    own = np.mean(both, 0)[np.arange(len(images)), images.labels]
    assert found.loss == pytest.approx(-np.log(own).mean())


def test_an_export_has_one_view(exported, tmp_path):
    for view in (View("dense"), View(flip=True)):
        with pytest.raises(SpecError, match=r"needs the layers of a run|whole"):
            evaluate(exported, out=tmp_path, view=view)


def test_a_dense_test_refuses_what_whitens_whole_images(home):
    run = open_trained(home / "run")
    whitened = load_spec(
        home / "photos.yaml",
        [*CHANGES[:2], "data.transforms=[{layer: zca_whitening, epsilon: 1}]"],
    )
    transforms = build_transforms(whitened.data, whitened.model.input)
    network = build_model(whitened.model, 0)
    images = images_of(run, "test", home / "photos")
    weights = to_arrays(all_variables(transforms, network))
    other = dataclasses.replace(run, weights=weights, spec=whitened)

    for kind in ("dense", "dense-and-crop"):
        with pytest.raises(SpecError, match="zca_whitening mixes all pixels"):
            View(kind).sides(whitened)  # before an ensemble begins
    with pytest.raises(SpecError, match="zca_whitening mixes all pixels"):
        view_logits(other, images, View("dense"))
    assert View("multi-crop").sides(whitened)


def test_a_damaged_or_endless_photo_is_named(run, home, tmp_path):
    photos = shutil.copytree(home / "photos", tmp_path / "photos")
    strip = photos / "test" / "apple" / "0.jpg"
    Image.new("RGB", (60_000, 2)).save(strip)
    images = open_source(run.spec, photos).images("test")

    with pytest.raises(BadDataError, match=r"0\.jpg: would have .* at shorter"):
        view_logits(run, images, View("dense", (40,)))

    strip.write_bytes(b"no image at all")
    images = open_source(run.spec, photos).images("test")
    for view in (View("dense"), View("ten-crop")):
        with pytest.raises(BadDataError, match=r"0\.jpg: not an image"):
            view_logits(run, images, view)
