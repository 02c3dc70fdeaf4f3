"""Networks against the paper's counts and closed forms."""

import sys

import keras
import numpy as np
import pytest
from scipy import stats

from kresnet import build_model
from kresnet.architecture import census
from kresnet.errors import SpecError
from kresnet.network import KerasParts
from kresnet.network.he_normal import HeNormal
from kresnet.spec import load_spec, shipped_specs

# He et al. 2015, table 6 and section 4.2, counted from the architecture.
PAPER_PARAMETERS = {
    "plain20": 269_722,
    "plain32": 464_154,
    "plain44": 658_586,
    "plain56": 853_018,
    "plain110": 1_727_962,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "resnet1202": 19_421_274,
    "resnet20-b": 272_474,
    "resnet20-c": 283_962,
    "resnet56-b": 855_770,
    "resnet56-c": 900_858,
}


# The same networks after other transforms; see test_shipped_specs.py.
ARMS = [
    f"{net}-{arm}"
    for net in ("resnet20", "resnet56")
    for arm in (
        *("mean255", "zca", "fancy-pca"),
        *("channel-mean", "channel-std", "none"),
    )
]


DEEPEST = ("preresnet1001", "resnet1202")


def zeros(self, shape, dtype=None):
    return keras.ops.zeros(shape, dtype or "float32")


def trainable_parameters(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def weighted_layers(model):
    """Convolutions and dense layers; projections and gates left out."""
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    return sum(
        isinstance(layer, kinds)
        and not layer.name.endswith(("_shortcut", "_gate"))
        for layer in model.layers
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in DEEPEST))
        for name in shipped_specs()
        if name not in ARMS
    ],
)
def test_every_shipped_network_has_its_layers_and_parameters(name, monkeypatch):
    """Built with zeros, which are as many numbers; ImageNet's nets are big."""
    monkeypatch.setattr(HeNormal, "__call__", zeros)
    spec = load_spec(name)
    before = sys.getrecursionlimit()

    model = build_model(spec.model)

    counted = census(spec.model)
    assert weighted_layers(model) == counted.layers
    assert trainable_parameters(model) == counted.parameters
    if name in PAPER_PARAMETERS:
        n = spec.model.stages[0].blocks
        assert weighted_layers(model) == 6 * n + 2
        assert trainable_parameters(model) == PAPER_PARAMETERS[name]
    assert model.output_shape == (None, spec.model.classes)
    assert sys.getrecursionlimit() == before


def test_output_sizes_are_those_of_the_census():
    model = build_model(load_spec("resnet20-b").model)
    names = {layer.name: layer for layer in model.layers}
    for row in census(load_spec("resnet20-b").model).rows:
        if row.name.startswith("conv") and row.name != "conv1":
            assert names[f"{row.name}_out"].output.shape[1:] == row.output


def test_a_residual_block_with_silent_convolutions_is_the_identity():
    """The paper's argument for residual learning, section 3.1."""
    spec = load_spec("digits")
    model = build_model(spec.model, seed=0)
    for layer in model.layers:
        if layer.name == "conv2_1_bn2":
            layer.gamma.assign(np.zeros(layer.gamma.shape))
    part = keras.Model(
        model.input,
        [
            model.get_layer("conv1_relu").output,
            model.get_layer("conv2_1_out").output,
        ],
    )
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 1))

    before, after = part(images.astype("float32"))

    assert float(np.max(before)) > 0
    np.testing.assert_array_equal(before, after)


def test_strided_convolutions_pad_evenly():
    """The first and the last output, computed by hand with padding 1."""
    spec = load_spec("digits")
    model = build_model(spec.model, seed=0)
    conv = model.get_layer("conv3_1_conv1")
    pad = model.get_layer("conv3_1_conv1_pad")
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 16))
    images = images.astype("float32")

    got = np.asarray(conv(pad(images)))

    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = np.asarray(conv.kernel)
    corner = np.einsum("hwi,hwio->o", padded[0, :3, :3], kernel)
    last = np.einsum("hwi,hwio->o", padded[0, 6:9, 6:9], kernel)
    np.testing.assert_allclose(got[0, 0, 0], corner, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got[0, -1, -1], last, rtol=1e-4, atol=1e-5)
    assert got.shape == (1, 4, 4, 32)


def test_initial_weights_are_a_pure_function_of_the_seed():
    spec = load_spec("digits").model
    one, same, other = (build_model(spec, seed) for seed in (1, 1, 2))

    for a, b in zip(one.weights, same.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    kernel = "conv3_1_conv2"
    assert not np.allclose(
        one.get_layer(kernel).kernel, other.get_layer(kernel).kernel
    )
    assert not np.allclose(
        one.get_layer("conv2_1_conv1").kernel,
        one.get_layer("conv2_1_conv2").kernel,
    )


def test_kernels_are_normal_untruncated_with_variance_two_over_fan_in():
    values = np.asarray(HeNormal(0, "x")((3, 3, 64, 64))).ravel()

    scaled = values / np.sqrt(2 / (9 * 64))
    assert stats.kstest(scaled, "norm").pvalue > 1e-3
    assert np.abs(scaled).max() > 3  # keras' HeNormal stops at 2


def test_kernels_are_the_numbers_that_recorded_runs_began_with():
    """Another stream of NumPy's would begin every run elsewhere, unnoticed."""
    kernel = np.asarray(HeNormal(3, "conv1")((3, 3, 3, 16))).ravel()

    np.testing.assert_allclose(
        [*kernel[:4], *kernel[-2:]],
        [
            *(-0.57941592, -0.34032527, -0.32965398, 0.081472561),
            *(0.049409762, 0.58336592),
        ],
        rtol=1e-6,
    )


def test_biases_start_at_zero_and_convolutions_have_none():
    model = build_model(load_spec("digits").model)

    np.testing.assert_array_equal(model.get_layer("fc").bias, 0.0)
    biases = [v.path for v in model.weights if v.name == "bias"]
    assert biases == ["fc/bias"]


def step(model, images, labels):
    """Loss, gradients by path and moving averages of one training step."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        )
    gradients = tape.gradient(loss, model.trainable_variables)
    return (
        float(loss),
        {
            v.path: np.asarray(g)
            for v, g in zip(model.trainable_variables, gradients, strict=True)
        },
        {v.path: np.asarray(v) for v in model.non_trainable_variables},
    )


@pytest.fixture(scope="module")
def batch():
    generator = np.random.default_rng(0)
    images = generator.normal(size=(64, 32, 32, 3)).astype("float32")
    return images, generator.integers(0, 10, 64).astype("int32")


@pytest.mark.parametrize("name", ["plain20", "resnet20", "resnet20-b"])
def test_rematerialized_blocks_compute_the_same(batch, name):
    """Losses, gradients and averages, which must not move twice."""
    spec = load_spec(name).model
    kept = step(build_model(spec, 0), *batch)
    again = step(build_model(spec, 0, rematerialize=True), *batch)

    assert again[0] == pytest.approx(kept[0], rel=1e-6)
    for got, want in zip(again[1:], kept[1:], strict=True):
        assert got.keys() == want.keys()
        for path, array in want.items():
            scale = np.abs(array).max()
            np.testing.assert_allclose(
                got[path], array, rtol=0, atol=1e-4 * scale, err_msg=path
            )


def test_a_rematerialized_network_survives_saving(batch, tmp_path):
    spec = load_spec("resnet20").model
    model = build_model(spec, 0, rematerialize=True)
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(loaded(batch[0]), model(batch[0]))


def test_in_bfloat16_only_the_arithmetic_is(batch):
    """8 bits of mantissa: a hundredth of the value, not of its meaning."""
    spec = load_spec("resnet20").model
    model = build_model(spec, 0, precision="bfloat16")
    exact = build_model(spec, 0)

    assert model.get_layer("conv2_1_conv1").compute_dtype == "bfloat16"
    assert {v.dtype for v in model.weights} == {"float32"}
    assert model.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"
    loss, _, averages = step(model, *batch)
    want, _, exact_averages = step(exact, *batch)
    assert loss == pytest.approx(want, rel=0.02)
    for path, array in exact_averages.items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(
            averages[path], array, rtol=0, atol=0.02 * scale, err_msg=path
        )


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="`precision` must be one of"):
        build_model(load_spec("digits").model, precision="float16")


def test_a_whole_spec_is_refused_in_place_of_its_model():
    with pytest.raises(ValueError, match=r"build_model\(spec\.model\)"):
        build_model(load_spec("digits"))


def test_a_network_that_the_census_does_not_count_is_refused(monkeypatch):
    """As when convolutions are made otherwise than they are counted."""

    def biased(self, x, width, kernel, stride, name, **_):
        name = self.place.named(name)
        return keras.layers.Conv2D(
            width, kernel, stride, padding="same", name=name
        )(x)

    monkeypatch.setattr(KerasParts, "convolution", biased)

    with pytest.raises(SpecError, match=r"built a network of [\d,]+ train"):
        build_model(load_spec("digits").model)
