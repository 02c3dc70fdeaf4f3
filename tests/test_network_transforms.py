"""The transforms of the shipped arms, within the models that use them."""

import json
import shutil

import keras
import numpy as np
import pytest
from faults.small_cifar10 import prepare, taken_for_cifar10

import kresnet
import kresnet.layers
from kresnet.errors import SpecError
from kresnet.layers import (
    ChannelMean,
    ChannelStandardize,
    FancyPCA,
    PerPixelMean,
    RandomCrop,
    RandomFlip,
    Rescaling,
    ZCAWhitening,
)
from kresnet.network import (
    adapt_transforms,
    all_variables,
    build_model,
    build_transforms,
    inference_model,
    training_model,
)
from kresnet.records.identity import Identity
from kresnet.spec import load_spec
from kresnet.trained import Run
from kresnet.trained.arrays import from_arrays, to_arrays
from kresnet.training import CoupledSGD

SHAPE = (8, 8, 3)
RNG = np.random.RandomState(0)
# Smooth, and brighter to one side, so that no mean is that of another kind.
NOISE = RNG.normal(size=(600, 8, 8, 3))
SMOOTH = 30 * (NOISE + np.roll(NOISE, 1, 1)) + np.linspace(60, 160, 8)[:, None]
IMAGES = SMOOTH.clip(0, 255).astype("uint8")
LABELS = RNG.randint(0, 10, 600)
KEYS = RNG.randint(0, 2**32, 600, dtype=np.uint32)

WIDE = IMAGES.astype("float64")
MEAN = WIDE.mean(axis=0)


def _whitened(images):
    rows = images.reshape(600, -1)
    variances, axes = np.linalg.eigh(np.cov(rows, rowvar=False, bias=True))
    return (rows @ (axes / np.sqrt(variances + 1e-2)) @ axes.T).reshape(
        images.shape
    )


# What becomes of the training images, without the random layers.
ARMS = {
    "resnet20": WIDE - MEAN,
    "resnet20-mean255": (WIDE - MEAN) / 255,
    "resnet20-zca": _whitened((WIDE - MEAN) / 255),
    "resnet20-fancy-pca": (WIDE - MEAN) / 255,
    "resnet20-channel-mean": WIDE - WIDE.mean(axis=(0, 1, 2)),
    "resnet20-channel-std": (WIDE - WIDE.mean(axis=(0, 1, 2)))
    / WIDE.std(axis=(0, 1, 2)),
    "resnet20-none": WIDE,
}
# In this order, in training.
ORDER = {
    "resnet20": (PerPixelMean, RandomCrop, RandomFlip),
    "resnet20-mean255": (PerPixelMean, Rescaling, RandomCrop, RandomFlip),
    "resnet20-zca": (
        *(PerPixelMean, Rescaling, ZCAWhitening),
        *(RandomCrop, RandomFlip),
    ),
    "resnet20-fancy-pca": (
        *(PerPixelMean, Rescaling, FancyPCA),
        *(RandomCrop, RandomFlip),
    ),
    "resnet20-channel-mean": (ChannelMean, RandomCrop, RandomFlip),
    "resnet20-channel-std": (ChannelStandardize, RandomCrop, RandomFlip),
    "resnet20-none": (RandomCrop, RandomFlip),
}
each_arm = pytest.mark.parametrize("arm", ARMS)


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _transforms(arm, adapted=True) -> list[keras.layers.Layer]:
    layers = build_transforms(load_spec(arm).data, SHAPE)
    if adapted:
        adapt_transforms(layers, IMAGES)
    return layers


def _same() -> keras.Model:
    """A network that returns the images it is given."""
    images = keras.Input(SHAPE)
    return keras.Model(images, keras.layers.Identity()(images))


@each_arm
def test_the_inference_model_prepares_images_as_the_arm_says(arm):
    model = inference_model(_transforms(arm), _same())

    got = model.predict(IMAGES, verbose=0)

    assert got.dtype == np.float32
    np.testing.assert_allclose(got, ARMS[arm], rtol=1e-5, atol=1e-4)


@each_arm
def test_pixels_below_the_mean_reach_the_network_as_negative_numbers(arm):
    """Bytes would wrap around, and in training too."""
    model = training_model(_transforms(arm), _same())
    black = np.zeros((5, *SHAPE), "uint8")

    got = _numpy(model([black, KEYS[:5]], training=True))

    if arm == "resnet20-none":
        np.testing.assert_array_equal(got, 0)
    elif arm != "resnet20-zca":  # which whitens an even colour away
        assert (got <= 0).all()
        assert (got < 0).mean() > 0.2  # the rest is padding
    else:
        assert got.min() < 0


@each_arm
def test_the_training_model_applies_the_layers_in_the_specs_order(arm):
    """Each layer alone, one after the other in the order written here."""
    layers = _transforms(arm)
    alone = {type(layer): layer for layer in layers}
    assert len(alone) == len(layers) == len(ORDER[arm])
    want = IMAGES
    for layer in map(alone.get, ORDER[arm]):
        random = isinstance(layer, FancyPCA | RandomCrop | RandomFlip)
        want = _numpy(layer(want, KEYS) if random else layer(want))

    got = _numpy(training_model(layers, _same())([IMAGES, KEYS], training=True))

    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)
    assert np.abs(got - ARMS[arm]).max() > 0.01  # crops and flips at least


@each_arm
def test_outside_of_training_both_models_see_the_same(arm):
    layers, network = _transforms(arm), _same()
    one = training_model(layers, network).predict([IMAGES, KEYS], verbose=0)
    other = inference_model(layers, network).predict(IMAGES, verbose=0)

    np.testing.assert_array_equal(one, other)


@each_arm
def test_an_inference_model_is_saved_and_loaded_with_its_statistics(
    arm, tmp_path
):
    model = inference_model(_transforms(arm), _same())
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(
        loaded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0)
    )


@each_arm
def test_a_checkpoint_of_the_training_model_fills_an_inference_model(arm):
    """Also that of FancyPCA, which has weights and is not in the latter."""
    layers, network = _transforms(arm), _same()
    arrays = to_arrays(training_model(layers, network).weights)
    others, other_network = _transforms(arm, adapted=False), _same()

    from_arrays(all_variables(others, other_network), arrays)

    want = inference_model(layers, network).predict(IMAGES, verbose=0)
    got = inference_model(others, other_network).predict(IMAGES, verbose=0)
    np.testing.assert_array_equal(got, want)


def test_a_run_with_fancy_pca_is_read_back_and_re_estimated(tmp_path):
    blocks = [f"model.stages[{i}].blocks=1" for i in range(3)]
    spec = load_spec("resnet20-fancy-pca", blocks)
    images = np.kron(IMAGES[:128], np.ones((1, 4, 4, 1), "uint8"))
    layers = build_transforms(spec.data, spec.model.input)
    adapt_transforms(layers, images)
    network = build_model(spec.model, seed=1)
    arrays = to_arrays(training_model(layers, network).weights)
    assert "fancy_pca/eigenvalues" in arrays
    run = Run(
        folder=tmp_path,
        spec=spec,
        record={},
        identity=Identity.of(spec, seed=1),
        iteration=1,
        class_names=(),
        weights=arrays,
    )

    re_estimated = run.re_estimated(images)

    want = inference_model(layers, network).predict(images, verbose=0)
    got = run.inference_model().predict(images, verbose=0)
    np.testing.assert_array_equal(got, want)
    assert "over 128 training images" in re_estimated.statistics
    assert np.isfinite(re_estimated.logits(images)).all()


def test_colours_are_shifted_the_same_before_and_after_a_restart(
    tmp_path, monkeypatch
):
    """A run that went on from its middle ends with the bits of the whole."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    changes = [
        *(f"model.stages[{i}].blocks=1" for i in range(3)),
        "model.batch_norm.images_per_statistic=8",
        "data.validation=0",
        "training.batch_size=8",
        "training.iterations=4",
        "training.learning_rate.at=[]",
    ]
    options = {
        "overrides": changes,
        "data_dir": prepare(tmp_path / "data"),
        "checkpoint_every": 2,
    }
    with taken_for_cifar10():
        whole = kresnet.train(
            "resnet20-fancy-pca", tmp_path / "whole", **options
        )
    stopped = shutil.copytree(whole, tmp_path / "stopped")
    shutil.rmtree(stopped / "checkpoints" / "00000004")
    info = json.loads((stopped / "run.json").read_text())
    info |= {"status": "running", "iteration": 2, "checkpoint": 2}
    (stopped / "run.json").write_text(json.dumps(info))

    with taken_for_cifar10():
        kresnet.train("resnet20-fancy-pca", stopped, **options)

    last = "checkpoints/00000004/weights.safetensors"
    assert (stopped / last).read_bytes() == (whole / last).read_bytes()
    losses = (whole / "losses.csv").read_text()
    assert (stopped / "losses.csv").read_text() == losses


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow exports"
)
def test_a_whitened_run_trains_and_is_evaluated_and_exported(tmp_path):
    run = kresnet.train(
        "digits",
        tmp_path / "run",
        overrides=[
            "data.transforms=[{layer: rescale, divide_by: 16}, {layer:"
            " zca_whitening, epsilon: 1e-2}, {layer: random_crop, padding: 1}]",
            "training.iterations=60",
            "training.learning_rate.at=[30,45]",
        ],
    )

    assert kresnet.evaluate(run).error < 30
    export = kresnet.export(run, tmp_path / "export")  # compares by itself
    assert (export / "saved_model.pb").exists()


def test_every_transform_of_a_spec_is_a_layer_of_kresnet_layers():
    for arm in ARMS:
        for layer in _transforms(arm, adapted=False):
            assert getattr(kresnet.layers, type(layer).__name__) is type(layer)


def test_colours_are_adapted_to_after_the_layers_before():
    fancy = _transforms("resnet20-fancy-pca")[2]

    pixels = ((WIDE - MEAN) / 255).reshape(-1, 3)
    want = np.linalg.eigvalsh(np.cov(pixels, rowvar=False, bias=True))[::-1]
    np.testing.assert_allclose(fancy.eigenvalues, want, rtol=1e-4)


def test_random_layers_are_passed_over_when_later_ones_adapt():
    """Statistics are those of images that are not augmented."""
    spec = load_spec(
        "resnet20",
        [
            "data.transforms=[{layer: random_flip}, {layer: random_crop,"
            " padding: 2}, {layer: rescale, divide_by: 255}, {layer: fancy_pca,"
            " stddev: 0.1}, {layer: per_pixel_mean}]"
        ],
    )
    layers = build_transforms(spec.data, SHAPE)

    adapt_transforms(layers, IMAGES)

    np.testing.assert_allclose(layers[-1].mean, MEAN / 255, rtol=1e-5)


def test_an_epsilon_that_does_not_suit_the_images_is_a_mistake_of_the_spec():
    """Some pixels are always 0, and their variance with them."""
    transforms = "[{layer: rescale, divide_by: 255}, {layer: zca_whitening"
    spec = load_spec(
        "resnet20", [f"data.transforms={transforms}, epsilon: 1e-15}}]"]
    )
    layers = build_transforms(spec.data, SHAPE)
    black = IMAGES.copy()
    black[:, 0] = 0

    with pytest.raises(SpecError, match=r"^data\.transforms\[1\]: `epsilon`"):
        adapt_transforms(layers, black)


def _losses(arm, updates, epsilon=None) -> list[float]:
    """Training losses of an 8-layer network, before each update."""
    blocks = [f"model.stages[{i}].blocks=1" for i in range(3)]
    spec = load_spec(arm, [*blocks, "model.batch_norm.images_per_statistic=16"])
    network = build_model(spec.model, seed=0)
    if epsilon is not None:
        network.get_layer("conv1_bn").epsilon = epsilon
    layers = build_transforms(spec.data, (32, 32, 3))
    images = np.kron(IMAGES[:16], np.ones((1, 4, 4, 1), "uint8"))
    adapt_transforms(layers, images)
    model = training_model(layers, network)
    model.compile(
        CoupledSGD(0.1, 0.9, 1e-4, False, False),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return [
        float(model.train_on_batch([images, KEYS[:16] + i], LABELS[:16]))
        for i in range(updates)
    ]


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="JAX computes in float32 unless told otherwise",
)
def test_dividing_by_255_changes_the_scale_of_one_epsilon_and_nothing_else(
    float64,
):
    """The first convolution has no bias, and batch norm follows it.

    BN(W * x / 255) with ε is BN(W * x) with 255² ε: the same function of W.
    So gradients, weight decay and updates of all weights are the same too, as
    long as the computer rounds them the same. With one ε for both, its part in
    the variance (thousands in grey levels, 0.1 in units of [0, 1]) differs:
    losses start close together, and drift apart.
    """
    losses = _losses("resnet20", 6)
    exact = _losses("resnet20-mean255", 6, epsilon=1e-5 / 255**2)
    shipped = _losses("resnet20-mean255", 6)

    np.testing.assert_allclose(exact, losses, rtol=1e-9)
    assert shipped[0] == pytest.approx(losses[0], rel=1e-4)
    assert shipped[0] != pytest.approx(losses[0], rel=1e-9)
    assert losses[-1] != pytest.approx(losses[0], rel=1e-2)
