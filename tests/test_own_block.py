"""A block that kresnet does not ship is one class in the user's program."""

import csv
import json
import math
from typing import Literal

import keras
import numpy as np
import pytest
from pydantic import ValidationError

import kresnet
from kresnet.architecture import (
    BasicStage,
    Blocks,
    Place,
    StageFields,
    Stride,
    Width,
    census,
    model_class,
    walk,
)
from kresnet.documents import Integer, Problem
from kresnet.errors import SpecError
from kresnet.instruments import Responses, measure_run
from kresnet.network import KerasParts
from kresnet.spec import dump_spec
from kresnet.trained import open_trained


class ThreeStage(StageFields):
    """Residual blocks of three 3×3 layers, the shape changed by option A."""

    block: Literal["three"]
    blocks: Blocks
    width: Width
    stride: Stride

    def define(self, x, parts):
        stride, same = parts.place.stride, parts.channels(x) == self.width
        y = parts.relu(parts.layer(x, self.width, 3, stride, "1"), "relu1")
        y = parts.relu(parts.layer(y, self.width, 3, 1, "2"), "relu2")
        y = parts.layer(y, self.width, 3, 1, "3")
        if not same or stride > 1:
            x = parts.pad_channels(x, self.width, stride, "shortcut")
        return parts.relu(parts.add(x, y, "add"), "out")


class GatedStage(StageFields):
    """A 1×1 and a grouped, dilated 3×3 layer with biases, and a gate.

    Without batch norm. The gate is that of Hu et al. 2018, figure 2.
    """

    block: Literal["gated"]
    groups: Integer
    dilation: Integer
    blocks: Blocks
    width: Width
    stride: Stride

    def define(self, x, parts):
        stride, width = parts.place.stride, self.width
        plain = {"norm": False, "bias": True}
        y = parts.layer(x, width, 1, stride, "1", **plain)
        y = parts.relu(y, "relu1")
        more = plain | {"groups": self.groups, "dilation": self.dilation}
        y = parts.layer(y, width, 3, 1, "2", **more)
        gate = parts.dense(parts.average(y, "squeeze"), width // 2, "reduce")
        gate = parts.dense(parts.relu(gate, "relu2"), width, "expand")
        y = parts.multiply(y, parts.sigmoid(gate, "gate"), "gated")
        if stride > 1 or parts.channels(x) != width:
            x = parts.convolution(x, width, 1, stride, "shortcut", bias=True)
        return parts.relu(parts.add(x, y, "add"), "out")

    def problems(self, channels):
        if self.width % self.groups:
            yield Problem(("groups",), f"must divide the width, {self.width}")


class StemlessModel(model_class((GatedStage,))):
    """No stem, no pooling, and three dense layers at the end."""

    stem: None = None

    def before_stages(self):
        yield from ()

    def after_stages(self):
        def first(x, parts):
            x = parts.dense(parts.flatten(x, "flatten"), 20)
            return parts.relu(x, "relu")

        yield Place("fc6", "dense"), first
        yield (
            Place("fc7", "dense"),
            lambda x, parts: parts.relu(parts.dense(x, 15), "relu"),
        )
        yield (
            Place("fc8", "dense"),
            lambda x, parts: parts.dense(x, self.classes),
        )


OWN = [ThreeStage, GatedStage]
STAGES = [
    "{block: three, blocks: 2, width: 8, stride: 1}",
    "{block: basic, shortcut: B, blocks: 1, width: 12, stride: 2}",
    "{block: gated, groups: 4, dilation: 1, blocks: 2, width: 16, stride: 2}",
    "{block: gated, groups: 4, dilation: 2, blocks: 1, width: 16, stride: 1}",
]
CHANGES = [
    f"model.stages=[{', '.join(STAGES)}]",
    "model.stem.width=8",
    "training.iterations=2",
    "training.learning_rate.at=[1]",
]


def load():
    return kresnet.load_spec("digits", CHANGES, stages=OWN)


def stemless(input=(8, 8, 3), **fields):
    stage = {"block": "gated", "groups": 2, "dilation": 2, "width": 4}
    return StemlessModel.model_validate(
        {
            "input": input,
            "stages": [stage | {"blocks": 1, "stride": 2} | fields],
            "classes": 10,
            "batch_norm": {
                "images_per_statistic": None,
                "momentum": 0.9,
                "epsilon": 1e-5,
            },
        }
    )


def test_it_is_counted_as_its_layers_are():
    """Stem, 3 + 3, 2, 4 + 2 and the classifier; parameters by hand.

    Gates do not count, as projections do not.
    """
    counted = census(load().model)

    assert counted.layers == 1 + 6 + 2 + 6 + 1
    three = 9 * 8 * 8 + 2 * 8
    assert counted.parameters == sum(
        [
            9 * 8 + 2 * 8,
            6 * three,
            9 * 8 * 12 + 9 * 12 * 12 + 8 * 12 + 3 * 2 * 12,
            (12 + 1) * 16 + 2 * (16 + 1) * 16,  # the 1×1 layers
            (12 + 1) * 16,  # a projection
            3 * (9 * 4 + 1) * 16,  # a filter sees 4 of 16 channels
            3 * ((16 + 1) * 8 + (8 + 1) * 16),  # gates
            16 * 10 + 10,
        ]
    )
    assert [row.kind for row in counted.rows[1:4]] == [
        "three",
        "three",
        "basic B",
    ]


def test_its_mistakes_are_reported_like_others(tmp_path):
    spec = tmp_path / "own.yaml"
    text = dump_spec(load()).replace("blocks: 2", "blocks: 0")
    spec.write_text(text.replace("block: basic", "block: basics"))

    with pytest.raises(SpecError) as caught:
        kresnet.load_spec(spec, stages=OWN)

    assert "stages[0].blocks: must be an integer from 1 to" in str(caught.value)
    assert (
        "stages[1].block: must be plain, basic, bottleneck, convolutions, three"
        " or gated; did you mean basic?" in str(caught.value)
    )
    with pytest.raises(SpecError, match="must be plain, basic, bottle"):
        kresnet.load_spec(spec)


@pytest.mark.parametrize("stages", [[int], [ThreeStage, BasicStage]])
def test_what_is_no_stage_of_ones_own_is_refused(stages):
    with pytest.raises(ValueError, match=r"`stages` must .* Received: "):
        kresnet.load_spec("digits", stages=stages)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return kresnet.train(
        "digits",
        tmp_path_factory.mktemp("own") / "run",
        overrides=CHANGES,
        stages=OWN,
        responses_every=2,
        response_images=20,
    )


def test_it_is_built_trained_and_measured(folder):
    network = kresnet.build_model(load().model, seed=0)
    variables = network.trainable_variables
    assert (
        sum(math.prod(v.shape) for v in variables)
        == census(load().model).parameters
    )

    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
    with (folder / "responses.csv").open() as file:
        layers = [row["layer"] for row in csv.DictReader(file)]
    assert layers[:4] == ["conv1", "conv2_1_1", "conv2_1_2", "conv2_1_3"]
    assert layers[-1] == "conv5_1_2"
    with (folder / "residual_ratios.csv").open() as file:
        blocks = [row["block"] for row in csv.DictReader(file)]
    assert blocks[:3] == ["conv2_1", "conv2_2", "conv3_1"]
    assert blocks[3:] == ["conv4_1", "conv4_2", "conv5_1"]
    # The same call finds the run finished: its spec.yaml can be read.
    kresnet.train("digits", folder, overrides=CHANGES, stages=OWN)


def test_its_run_is_opened_evaluated_measured_and_exported(folder, tmp_path):
    """Its export too, whose logits are those of the run."""
    with pytest.raises(SpecError, match="must be plain, basic, bottle"):
        open_trained(folder)

    run = open_trained(folder, stages=OWN)
    error = kresnet.evaluate(run).error

    assert error == json.loads((folder / "run.json").read_text())["test_error"]
    (measured, *_) = measure_run(Responses(), run, images=20).values()
    assert len(measured) == 1 + 6 + 2 + 3
    kresnet.export(run, tmp_path / "export")
    exported = open_trained(tmp_path / "export", stages=OWN)
    assert kresnet.evaluate(exported).error == error
    with pytest.raises(ValueError, match="go with a folder"):
        open_trained(run, stages=OWN)


def test_rematerialized_blocks_of_one_shape_stay_what_they_are():
    """The last two stages differ in their dilation alone."""
    plain, twice = (
        kresnet.build_model(load().model, seed=0, rematerialize=rematerialize)
        for rematerialize in (False, True)
    )
    images = np.random.default_rng(0).normal(size=(64, 8, 8, 1))

    want, logits = (
        network(images, training=True) for network in (plain, twice)
    )

    np.testing.assert_allclose(logits, want, rtol=1e-5, atol=1e-6)


def test_filters_see_the_group_and_the_distance_that_they_are_told():
    """A point in channel 0 reaches the first quarter's filters, 2 apart."""
    network = kresnet.build_model(load().model, seed=0)
    layer = network.get_layer("conv5_1_conv2")
    point = np.zeros((1, 7, 7, 16), "float32")
    point[0, 3, 3, 0] = 1

    reached = np.asarray(layer(point))[0] != 0

    assert not reached[..., 4:].any()
    rows, columns = np.nonzero(reached[..., :4].any(axis=2))
    assert {*rows} == {*columns} == {1, 3, 5}


def test_a_net_without_a_stem_has_several_dense_layers_at_its_end():
    """Counted by hand, checked, built, and trained for a step."""
    model = stemless()

    counted = census(model)

    assert [row.name for row in counted.rows] == [
        *("conv1_1", "fc6", "fc7", "fc8")
    ]
    assert counted.layers == 2 + 3
    gate = (4 + 1) * 2 + (2 + 1) * 4
    assert counted.parameters == sum(
        [
            (3 + 1) * 4 + (9 * 2 + 1) * 4 + gate + (3 + 1) * 4,
            (4 * 4 * 4 + 1) * 20 + (20 + 1) * 15 + (15 + 1) * 10,
        ]
    )
    with pytest.raises(ValidationError, match="must divide the maps it meets"):
        stemless(input=(9, 9, 3))
    with pytest.raises(ValidationError, match="must divide the width, 4"):
        stemless(groups=3)
    network = kresnet.build_model(model, seed=0)
    network.compile(
        keras.optimizers.SGD(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    images = np.random.default_rng(0).normal(size=(8, 8, 8, 3))
    before, after = (network.train_on_batch(images, np.arange(8)) for _ in "ab")
    assert after < before


class Surviving(KerasParts):
    """Residuals times the probability that their block survives."""

    survival = 1.0

    def add(self, shortcut, residual, name):
        blocks = [stage.blocks for stage in self.model.stages]
        depth = sum(blocks[: self.place.stage]) + self.place.block
        keep = 1 - depth / sum(blocks) * (1 - self.survival)
        residual = self.apply(
            keras.layers.Rescaling, f"{name}_survival", residual, scale=keep
        )
        return super().add(shortcut, residual, name)


@pytest.mark.parametrize("survival", [1.0, 0.5])
def test_what_an_addition_does_is_what_the_parts_make_of_it(survival):
    """Survival, as in testing, is an addition that multiplies."""
    model = load().model
    images = keras.Input(model.input)
    parts = Surviving(model, seed=0)
    parts.survival = survival
    scaled = keras.Model(images, walk(model, images, parts))
    pixels = np.random.default_rng(0).normal(size=(2, *model.input))

    same = np.allclose(scaled(pixels), kresnet.build_model(model, 0)(pixels))

    assert same == (survival == 1)
