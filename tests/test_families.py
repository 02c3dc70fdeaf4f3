"""Blocks of the ImageNet nets, of VGG, and of the papers that followed.

The published counts, keras.applications, and blocks written once more with
Keras' own layers from the papers' figures.
"""

import math
from typing import Literal

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from kresnet.architecture import (
    ModelSpec,
    PlainStage,
    census,
    layer_table,
    model_class,
)
from kresnet.layers import Dropout
from kresnet.network import build_model, find_places, keyed_network
from kresnet.network.he_normal import HeNormal
from kresnet.spec import load_spec

NORM = {"images_per_statistic": None, "momentum": 0.9, "epsilon": 1e-5}


def model(input, classes, stem, stages, **fields):
    return ModelSpec.model_validate(
        {
            "input": input,
            "stem": stem,
            "stages": stages,
            "classes": classes,
            "batch_norm": NORM,
        }
        | fields
    )


def stages(block, blocks, widths, outputs=None, **fields):
    return [
        {"block": block, "blocks": n, "width": width, "stride": 1 + (i > 0)}
        | ({"output": outputs[i]} if outputs else {})
        | fields
        for i, (n, width) in enumerate(zip(blocks, widths, strict=True))
    ]


def cifar(block, n, widths=(16, 32, 64), stem=16, **fields):
    own = {"batch_norm", "group_norm", "initialisation"}
    return model(
        (32, 32, 3),
        10,
        {"kernel": 3, "width": stem, "stride": 1},
        stages(
            block,
            [n] * 3,
            widths,
            **{k: v for k, v in fields.items() if k not in own},
        ),
        **{k: v for k, v in fields.items() if k in own},
    )


# Layers on the longest way, parameters, multiply-adds in units of 1e9.
# He et al. 2015, tables 1 and 6; Simonyan, Zisserman 2014, table 2;
# torchvision's and the authors' programs.
PUBLISHED = {
    "plain18": (18, 11_515_688, None),
    "plain34": (34, 21_623_848, None),
    "resnet18": (18, 11_689_512, 1.814),
    "resnet18-a": (18, 11_515_688, 1.795),
    "resnet34": (34, 21_797_672, 3.664),
    "resnet34-a": (34, 21_623_848, 3.644),
    "resnet34-c": (34, 22_716_840, None),
    "resnet50": (50, 25_557_032, 3.858),
    "resnet101": (101, 44_549_160, 7.570),
    "resnet152": (152, 60_192_808, 11.282),
    "resnet50-v1.5": (50, 25_557_032, 4.089),
    "resnet101-v1.5": (101, 44_549_160, 7.801),
    "resnet152-v1.5": (152, 60_192_808, 11.514),
    "resnext50-32x4d": (50, 25_028_904, None),
    "resnext101-32x8d": (101, 88_791_336, None),
    "wide50-2": (50, 68_883_240, None),
    "wide101-2": (101, 126_886_696, None),
    "vgg11": (11, 132_863_336, None),
    "vgg13": (13, 133_047_848, None),
    "vgg16": (16, 138_357_544, 15.470),
    "vgg19": (19, 143_667_240, 19.632),
    "vgg16-bn": (16, 138_365_992, None),
    "preresnet110": (110, 1_727_962, None),
    "preresnet164": (164, 1_703_258, None),
    "preresnet1001": (1001, 10_327_706, None),
    # Wide nets are named for all convolutions: three projections more.
    "wrn16-8": (14, 10_961_370, None),
    "wrn28-10": (26, 36_479_194, None),
    "wrn40-4": (38, 8_949_210, None),
    "resnext29-8x64": (29, 34_426_698, None),
    "stochastic110": (110, 1_727_962, None),
}
OF_110 = 1_727_962  # He et al. 2015, section 4.2, n = 18
# Channels that enter and leave the 54 blocks of ResNet-110.
BLOCKS = [(16, 16)] * 18 + [(16, 32)] + [(32, 32)] * 17
BLOCKS += [(32, 64)] + [(64, 64)] * 17
NORMED = 16 + sum(2 * leaves for _, leaves in BLOCKS)  # channels of norms
# Parameters by closed forms.
COUNTED = {
    **{
        f"resnet110-{name}": OF_110
        for name in (
            *("norm-after-addition", "relu-before-addition"),
            *("relu-preactivation", "scaled", "dropout", "group"),
        )
    },
    # A gate is a convolution with a bias.
    "resnet110-gated": OF_110 + sum(m * n + n for m, n in BLOCKS),
    "resnet110-gated-shortcut": OF_110 + sum(m * n + n for m, n in BLOCKS),
    "highway110": OF_110 + sum(9 * m * n + n for m, n in BLOCKS),
    # Option C: a projection and its norm in each block.
    "resnet110-c": OF_110 + sum(m * n + 2 * n for m, n in BLOCKS),
    # Fixup: four biases and a factor a block, two biases more; no norms.
    "resnet110-fixup": OF_110 - 2 * NORMED + 5 * 54 + 2,
}


def spec_of(name, *changes):
    return load_spec(name, changes).model


def test_a_wide_net_says_both_numbers():
    table = layer_table(census(spec_of("wrn28-10")))

    assert "28 convolutions, 3 of them in shortcuts and gates" in table
    assert "convolutions" not in layer_table(census(spec_of("plain18")))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_census_has_the_published_counts(name):
    layers, parameters, work = PUBLISHED[name]

    counted = census(spec_of(name))

    assert (counted.layers, counted.parameters) == (layers, parameters)
    if work:
        assert counted.multiply_adds / 1e9 == pytest.approx(work, abs=6e-4)


@pytest.mark.parametrize("name", COUNTED)
def test_relatives_of_resnet110_have_the_parameters_they_must_have(name):
    counted = census(spec_of(name))

    assert (counted.layers, counted.parameters) == (110, COUNTED[name])


def test_preresnet200_has_the_parameters_that_the_paper_prints():
    counted = census(spec_of("preresnet200"))

    assert counted.layers == 200
    assert round(counted.parameters / 1e6, 1) == 64.7


# A small member of each family is built; `build_model` compares its count.
SMALL = {
    **{
        order: cifar("basic", 1, (4, 8, 8), 4, shortcut="B", order=order)
        for order in (
            "original",
            "norm_after_addition",
            "relu_before_addition",
            "relu_preactivation",
        )
    },
    "scale": cifar(
        "basic",
        1,
        (4, 8, 8),
        4,
        shortcut="A",
        scale={"shortcut": 0.5, "residual": 1.0},
    ),
    "gates": cifar(
        "basic",
        1,
        (4, 8, 8),
        4,
        shortcut="A",
        gate={"on": "both", "kernel": 3, "bias": -2.0},
    ),
    "group norm": cifar(
        "basic",
        1,
        (4, 8, 8),
        4,
        shortcut="A",
        batch_norm=None,
        group_norm={"channels": 2},
    ),
    "no norm": cifar("basic", 1, (4, 8, 8), 4, shortcut="C", batch_norm=None),
    "fixup": cifar(
        "basic",
        1,
        (4, 8, 8),
        4,
        shortcut="A",
        batch_norm=None,
        initialisation="fixup",
    ),
}


@pytest.mark.parametrize("name", [*SMALL, "resnext29-8x64", "wrn16-8"])
def test_keras_builds_what_is_counted(name, monkeypatch):
    spec = SMALL[name] if name in SMALL else spec_of(name)
    if name not in SMALL:  # zeros are as many numbers
        monkeypatch.setattr(HeNormal, "__call__", zeros)

    places = find_places(build_model(spec, 0), spec)

    assert len(places.branches) == sum(s.blocks for s in spec.stages)
    threes = 2 if "basic" in spec.stages[0].block else 1
    assert len(places.responses) == 1 + threes * len(places.branches)


def zeros(self, shape, dtype=None):
    return keras.ops.zeros(shape, dtype or "float32")


def random_weights(network, seed=0):
    rng = np.random.default_rng(seed)
    for variable in network.weights:
        low = 0.5 if "variance" in variable.name else -0.2
        variable.assign(rng.uniform(low, low + 0.7, variable.shape))


def by_name(network):
    return {layer.name: layer for layer in network.layers}


# Our names of the layers in a bottleneck of keras.applications' ResNets.
OF_BLOCK = {
    "shortcut": "0_conv",
    "shortcut_bn": "0_bn",
    **{f"conv{i}": f"{i}_conv" for i in (1, 2, 3)},
    **{f"bn{i}": f"{i}_bn" for i in (1, 2, 3)},
}


def folded(theirs, convolution, norm):
    """The convolution's bias in the norm's mean, its ε in the variance."""
    kernel, bias = theirs[convolution].get_weights()
    gamma, beta, mean, variance = theirs[norm].get_weights()
    return [kernel], [gamma, beta, mean - bias, variance + 1e-8]


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_bottlenecks_compute_what_keras_applications_does(
    depth, float64, whole_form
):
    if depth > 50 and not whole_form:
        pytest.skip("a longer ResNet-50; `pytest --whole` runs it")
    spec = spec_of(
        f"resnet{depth}",
        "model.stem.pool.padding=even",
        "model.input=[64,64,3]",
    )
    network = build_model(spec, 0)
    reference = getattr(keras.applications, f"ResNet{depth}")(
        weights=None, input_shape=(64, 64, 3), classifier_activation=None
    )
    random_weights(reference)
    ours, theirs = by_name(network), by_name(reference)
    for name, layer in ours.items():
        if not layer.weights or "bn" in name or name == "fc":
            continue
        if name == "conv1":
            other, pair = ("conv1_conv", "conv1_bn"), ("conv1", "conv1_bn")
        else:
            block, _, part = name.rpartition("_")
            stage, number = block.split("_")
            prefix = f"{stage}_block{number}"
            norm = part.replace("conv", "bn")
            if part == "shortcut":
                norm = "shortcut_bn"
            other = tuple(f"{prefix}_{OF_BLOCK[p]}" for p in (part, norm))
            pair = (name, f"{block}_{norm}")
        for each, weights in zip(pair, folded(theirs, *other), strict=True):
            ours[each].set_weights(weights)
    ours["fc"].set_weights(theirs["predictions"].get_weights())
    images = np.random.default_rng(1).normal(size=(2, 64, 64, 3))

    assert_equal(network(images), reference(images))


@pytest.mark.parametrize("depth", [16, 19])
def test_vgg_computes_what_keras_applications_does(depth, float64):
    spec = spec_of(
        f"vgg{depth}", "model.input=[32,32,3]", "model.head.dense=[20,30]"
    )
    network = build_model(spec, 0)
    reference = getattr(keras.applications, f"VGG{depth}")(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    ours = by_name(network)
    layers = [layer for layer in reference.layers if layer.weights]
    rng = np.random.default_rng(0)
    for layer in layers:
        layer.set_weights(
            [rng.normal(0, 0.05, w.shape) for w in layer.get_weights()]
        )
    for layer in layers:
        block, number = layer.name.removeprefix("block").split("_conv")
        ours[f"conv{block}_{number}"].set_weights(layer.get_weights())
    images = rng.normal(size=(2, 32, 32, 3))
    flat = keras.Model(network.input, ours["fc6_flatten"].output)

    assert_equal(flat(images), np.reshape(reference(images), (2, -1)))
    assert network(images).shape == (2, 1000)


def assert_equal(ours, theirs, relative=1e-10):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert np.abs(ours).max() > 1e-3
    np.testing.assert_allclose(
        ours, theirs, rtol=0, atol=relative * np.abs(theirs).max()
    )


class Middle:
    """The second of three blocks, between what enters and what leaves it.

    Beside it, its convolutions and norms written once more, for a reference
    from the paper's figure: images, convolution and norm to what leaves.
    """

    def __init__(self, spec, training=False):
        self.training = training
        network = build_model(spec, 0)
        random_weights(network)
        keyed = keyed_network(network, spec) if training else network
        layers = by_name(keyed)
        ends = [f"conv2_{i}_out" for i in (1, 2)]
        if training:  # these layers are called twice; the second has keys
            inner = [
                layers[f"conv2_{i}_add"]._inbound_nodes[-1].output_tensors[0]
                for i in (1, 2)
            ]
        elif all(end in layers for end in ends):
            inner = [layers[end].output for end in ends]
        else:  # these have nothing on the way from addition to addition
            branches = find_places(network, spec).branches
            inner = [branches[f"conv2_{i}"][1] for i in (2, 3)]
        self.layers = layers
        keys = keyed.inputs[1:2] if training else []
        self.block = keras.Model([inner[0], *keys], inner[1])
        self.variables = [v.value for v in self.block.trainable_variables]
        rng = np.random.default_rng(1)
        self.enters = rng.normal(size=(2, 8, 8, 4))
        self.keys = [np.array([3, 4], "u4")] if training else []
        self.weights = rng.normal(size=(2, 8, 8, 4))

    def conv(self, x, name):
        layer = self.layers[f"conv2_2_{name}"]
        y = keras.ops.conv(x, layer.kernel, padding="same")
        return y + layer.bias if layer.use_bias else y

    def norm(self, x, name):
        layer = self.layers[f"conv2_2_{name}"]
        mean, variance = layer.moving_mean, layer.moving_variance
        if self.training:
            mean, variance = keras.ops.moments(x, (0, 1, 2))
        deviation = keras.ops.sqrt(variance + 1e-5)
        return layer.gamma * (x - mean) / deviation + layer.beta

    def assert_is(self, reference):
        """Equal numbers and gradients, by input, kernels and norms."""
        import tensorflow as tf

        def gradients(function):
            x = tf.constant(self.enters)
            with tf.GradientTape() as tape:
                tape.watch(x)
                leaves = function(x)
                total = tf.reduce_sum(leaves * self.weights)
            return [leaves, *tape.gradient(total, [x, *self.variables])]

        def block(x):
            keys = map(tf.constant, self.keys)
            return self.block([x, *keys], training=self.training)

        def written(x):
            return reference(x, self.conv, self.norm)

        pairs = zip(gradients(block), gradients(written), strict=True)
        for ours, theirs in pairs:
            assert_equal(ours, theirs)


def three_blocks(**fields):
    fields = {"shortcut": "A"} | fields
    return model(
        (8, 8, 3),
        10,
        {"kernel": 3, "width": 4, "stride": 1},
        stages("basic", [3], [4], **fields),
    )


relu = keras.ops.relu
# Figure 4 of arXiv:1603.05027, from (a) to (e).
FIGURE_4 = {
    "original": lambda x, c, n: relu(
        x + n(c(relu(n(c(x, "conv1"), "bn1")), "conv2"), "bn2")
    ),
    "norm_after_addition": lambda x, c, n: relu(
        n(x + c(relu(n(c(x, "conv1"), "bn1")), "conv2"), "out_bn")
    ),
    "relu_before_addition": lambda x, c, n: (
        x + relu(n(c(relu(n(c(x, "conv1"), "bn1")), "conv2"), "bn2"))
    ),
    "relu_preactivation": lambda x, c, n: (
        x + n(c(relu(n(c(relu(x), "conv1"), "bn1")), "conv2"), "bn2")
    ),
    "full_preactivation": lambda x, c, n: (
        x + c(relu(n(c(relu(n(x, "bn1")), "conv1"), "bn2")), "conv2")
    ),
}


@pytest.mark.parametrize("order", FIGURE_4)
def test_each_order_is_that_of_the_figure(order, float64):
    Middle(three_blocks(order=order)).assert_is(FIGURE_4[order])


def test_a_wide_net_drops_between_relu_and_the_second_layer(float64):
    """Zagoruyko, Komodakis 2016, figure 1d, with the mask of given keys."""
    middle = Middle(
        three_blocks(order="full_preactivation", dropout=0.4), training=True
    )
    stream = middle.layers["conv2_2_dropout"].stream
    ones = np.ones((2, 8, 8, 4))
    mask = Dropout(0.4, stream)(ones, middle.keys[0], training=True)

    def figure(x, c, n):
        y = c(relu(n(x, "bn1")), "conv1")
        return x + c(mask * relu(n(y, "bn2")), "conv2")

    assert 0.3 < np.mean(np.asarray(mask) > 0) < 0.9
    middle.assert_is(figure)


def residual(x, conv, norm):
    return norm(conv(relu(norm(conv(x, "conv1"), "bn1")), "conv2"), "bn2")


@pytest.mark.parametrize("on", ["both", "shortcut"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_gates_are_those_of_figure_2(on, kernel, float64):
    gate = {"on": on, "kernel": kernel, "bias": -1.0}

    def figure(x, c, n):
        g = keras.ops.sigmoid(c(x, "gate"))
        y = residual(x, c, n) * (g if on == "both" else 1)
        return relu(x * (1 - g) + y)

    Middle(three_blocks(gate=gate)).assert_is(figure)


def test_scales_are_those_of_figure_2(float64):
    scale = {"shortcut": 0.5, "residual": 0.3}

    Middle(three_blocks(scale=scale)).assert_is(
        lambda x, c, n: relu(0.5 * x + 0.3 * residual(x, c, n))
    )


def test_the_gates_bias_is_there_at_the_start():
    gate = {"on": "both", "kernel": 3, "bias": -2.0}
    network = build_model(three_blocks(gate=gate), 0)

    bias = by_name(network)["conv2_2_gate"].get_weights()[1]
    np.testing.assert_array_equal(bias, np.full(4, -2.0, "f4"))


def test_blocks_that_begin_as_the_identity():
    spec = three_blocks().model_copy(
        update={
            "batch_norm": three_blocks().batch_norm.model_copy(
                update={"last_scale": 0.0}
            )
        }
    )
    network = build_model(spec, 0)
    places = find_places(network, spec)
    inside = keras.Model(network.input, list(places.branches["conv2_2"]))

    residual, shortcut = inside(np.ones((2, 8, 8, 3), "f4"))
    assert not np.asarray(residual).any()
    assert np.asarray(shortcut).any()


@pytest.mark.parametrize("stride_in", [None, "1x1", "3x3"])
def test_a_dilated_stage_is_the_strided_one_at_every_second_place(
    stride_in, float64
):
    block, more = "basic", {}
    if stride_in:
        block, more = "bottleneck", {"stride_in": stride_in, "output": 8}

    def ends(**last):
        made = stages(block, [1], [4], shortcut="B", **more)
        second = {"block": block, "blocks": 2, "width": 4, "shortcut": "B"}
        spec = model(
            (16, 16, 3),
            10,
            {"kernel": 3, "width": 4, "stride": 1},
            [*made, second | more | last],
        )
        network = build_model(spec, 0)
        random_weights(network)
        images = np.random.default_rng(1).normal(size=(2, 16, 16, 3))
        end = find_places(network, spec).ends[-1]
        return np.asarray(keras.Model(network.input, end)(images))

    strided = ends(stride=2)
    dilated = ends(stride=1, dilation=2)

    assert dilated.shape[1] == 2 * strided.shape[1]
    assert_equal(dilated[:, ::2, ::2], strided)


def test_a_residual_is_times_its_survival_when_testing(float64):
    spec = three_blocks().model_copy(update={"survival": 0.4})

    p = 1 - 2 / 3 * 0.6  # the second of three blocks
    Middle(spec).assert_is(lambda x, c, n: relu(x + p * residual(x, c, n)))


class Dropped(PlainStage):
    """A block of one's own that draws, by no field that kresnet knows."""

    block: Literal["dropped"]

    def define(self, x, parts):
        return parts.dropout(super().define(x, parts), 0.5, "lost")


def test_what_draws_is_found_in_blocks_of_ones_own_too():
    plain = three_blocks().model_dump(mode="json")
    stage = {"block": "dropped", "blocks": 1, "width": 4, "stride": 1}
    spec = model_class((Dropped,)).model_validate(plain | {"stages": [stage]})

    assert spec.draws
    assert not three_blocks().draws
    assert len(keyed_network(build_model(spec, 0), spec).inputs) == 3


def test_a_residual_is_whole_or_lost_in_training(float64):
    spec = three_blocks().model_copy(
        update={"survival": 0.5, "batch_norm": None}
    )
    network = build_model(spec, 0)
    random_weights(network)
    keyed = keyed_network(network, spec)
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 3))
    whole = network_with(spec, network, images, survival=1.0)
    seen = []
    for iteration in range(40):
        keys = [np.arange(2, dtype="u4"), np.full(2, iteration, "u4")]
        out = np.asarray(keyed([images, *keys], training=True))
        seen.append(np.allclose(out, whole, rtol=1e-9))

    # All three survive with probability 5/6 · 4/6 · 3/6 = 0.28.
    assert 3 <= sum(seen) <= 22


def network_with(spec, network, images, **fields):
    other = build_model(spec.model_copy(update=fields), 0)
    other.set_weights(network.get_weights())
    return np.asarray(other(images))


GATE = {"on": "both", "kernel": 1, "bias": -6.0}
REFUSED = {
    "two norms": ({"group_norm": {"channels": 4}}, {}, "must be left out"),
    "survival of plain nets": (
        {"survival": 0.5, "stages": stages("plain", [1], [4])},
        {},
        "no stage is residual",
    ),
    "group": (
        {"batch_norm": None, "group_norm": {"channels": 3}},
        {},
        "must divide 4",
    ),
    "fixup with batch norm": (
        {"initialisation": "fixup"},
        {},
        "must be null: Fixup takes",
    ),
    "fixup of another order": (
        {"initialisation": "fixup", "batch_norm": None},
        {"order": "full_preactivation"},
        "must be he",
    ),
    "last scale": (
        {"batch_norm": NORM | {"last_scale": 0.0}},
        {"order": "full_preactivation"},
        "must be 1 or left out",
    ),
    "bare stem": (
        {"stem": {"kernel": 3, "width": 4, "stride": 1, "activation": False}},
        {},
        "do not begin with an activation",
    ),
    "a head that fills the memory": (
        {"head": {"dense": [65_536, 65_536]}},
        {},
        r"head\.dense\n.*at most 1e\+09",
    ),
    "stride and dilation": ({}, {"stride": 2, "dilation": 2}, "must be 1"),
    "dilation": ({}, {"dilation": 4}, "must be 1 or 2"),
    "a pool without padding": (
        {
            "stem": {
                "kernel": 3,
                "width": 4,
                "stride": 1,
                "pool": {"kernel": 3, "stride": 2},
            }
        },
        {},
        "must be end or even",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_field_that_would_be_ignored_or_cannot_be_is_refused(case):
    fields, of_stage, message = REFUSED[case]
    fields = {
        "stages": [stages("basic", [1], [4], shortcut="A")[0] | of_stage]
    } | fields

    with pytest.raises(ValidationError, match=message):
        model(
            (8, 8, 3),
            10,
            fields.pop("stem", {"kernel": 3, "width": 4, "stride": 1}),
            fields.pop("stages"),
            **fields,
        )


def test_max_pooling_pads_where_the_field_says():
    from kresnet.layers import MaxPool

    images = -1 - np.arange(16.0, dtype="f4").reshape(1, 4, 4, 1)

    # Windows begin at places 0 and 2 (Caffe), or -1 and 1 (Torch).
    end = np.asarray(MaxPool(3, 2, "end")(images))[0, :, :, 0]
    even = np.asarray(MaxPool(3, 2, "even")(images))[0, :, :, 0]

    np.testing.assert_array_equal(end, images[0, ::2, ::2, 0])
    np.testing.assert_array_equal(
        even, images[0][np.ix_([0, 1], [0, 1])][:, :, 0]
    )
    assert math.isfinite(even.min())


@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize(
    ("kernel", "padding"), [(3, "end"), (3, "even"), (2, "end")]
)
def test_max_pooling_rounds_as_the_systems_it_is_named_after(
    kernel, padding, side
):
    """Caffe: ceil((n - k) / s) + 1 windows; Torch: floor((n + 2p - k) / s) + 1.

    Both for a static shape and for one that is known only when it is used.
    """
    import keras

    from kresnet.layers import MaxPool

    images = np.random.default_rng(0).normal(size=(1, side, 9, 1))
    before = 1 if padding == "even" else 0

    def starts(n):
        count = (n + 2 - 3) // 2 + 1 if before else -(-(n - kernel) // 2) + 1
        return [2 * i - before for i in range(count)]

    want = [
        [
            images[0, max(y, 0) : y + kernel, max(x, 0) : x + kernel].max()
            for x in starts(9)
        ]
        for y in starts(side)
    ]
    pool = MaxPool(kernel, 2, padding)
    of_any_size = keras.Sequential([keras.Input((None, None, 1)), pool])

    for made in (pool, of_any_size):
        got = np.asarray(made(images.astype("float32")))
        assert got.shape == pool.compute_output_shape(images.shape)
        np.testing.assert_allclose(got[0, :, :, 0], want, rtol=1e-6)


def test_a_strided_stage_may_follow_a_dilated_one():
    made = [
        {"block": "basic", "shortcut": "B", "blocks": 1, "width": 4} | more
        for more in ({"stride": 1, "dilation": 2}, {"stride": 2})
    ]
    stem = {"kernel": 3, "width": 4, "stride": 1}
    spec = model((8, 8, 3), 10, stem, made)

    network = build_model(spec, 0)

    layers = by_name(network)
    dilations = [
        layers[f"conv{i}_1_conv{j}"].dilation_rate
        for i in (2, 3)
        for j in (1, 2)
    ]
    assert dilations == [(1, 1), (2, 2), (1, 1), (1, 1)]
