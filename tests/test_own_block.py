"""A block that kresnet does not ship is one class in the user's program."""

import csv
import json
import math
from typing import Literal

import pytest

import kresnet
from kresnet.architecture import (
    BasicStage,
    Blocks,
    StageFields,
    Stride,
    Width,
    census,
)
from kresnet.errors import SpecError
from kresnet.spec import dump_spec


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


STAGES = [
    "{block: three, blocks: 2, width: 8, stride: 1}",
    "{block: basic, shortcut: B, blocks: 1, width: 12, stride: 2}",
    "{block: three, blocks: 1, width: 16, stride: 2}",
]
CHANGES = [
    f"model.stages=[{', '.join(STAGES)}]",
    "model.stem.width=8",
    "training.iterations=2",
    "training.learning_rate.at=[1]",
]


def load():
    return kresnet.load_spec("digits", CHANGES, stages=[ThreeStage])


def test_it_is_counted_as_its_layers_are():
    """Stem, 3 + 3, 2, 3 and the classifier; kernels and batch norms by hand."""
    counted = census(load().model)

    assert counted.layers == 1 + 6 + 2 + 3 + 1
    three = 9 * 8 * 8 + 2 * 8
    assert counted.parameters == sum(
        [
            9 * 8 + 2 * 8,
            6 * three,
            9 * 8 * 12 + 9 * 12 * 12 + 8 * 12 + 3 * 2 * 12,
            9 * 12 * 16 + 2 * 9 * 16 * 16 + 3 * 2 * 16,
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
        kresnet.load_spec(spec, stages=[ThreeStage])

    assert "stages[0].blocks: must be an integer from 1 to" in str(caught.value)
    assert (
        "stages[1].block: must be plain, basic or three; did you mean basic?"
        in str(caught.value)
    )
    with pytest.raises(SpecError, match="must be plain or basic"):
        kresnet.load_spec(spec)


@pytest.mark.parametrize("stages", [[int], [ThreeStage, BasicStage]])
def test_what_is_no_stage_of_ones_own_is_refused(stages):
    with pytest.raises(ValueError, match=r"`stages` must .* Received: "):
        kresnet.load_spec("digits", stages=stages)


def test_it_is_built_trained_and_measured(tmp_path):
    network = kresnet.build_model(load().model, seed=0)
    variables = network.trainable_variables
    assert (
        sum(math.prod(v.shape) for v in variables)
        == census(load().model).parameters
    )

    folder = kresnet.train(
        "digits",
        tmp_path / "run",
        overrides=CHANGES,
        stages=[ThreeStage],
        responses_every=2,
        response_images=20,
    )

    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
    with (folder / "responses.csv").open() as file:
        layers = [row["layer"] for row in csv.DictReader(file)]
    assert layers[:4] == ["conv1", "conv2_1_1", "conv2_1_2", "conv2_1_3"]
    assert layers[-1] == "conv4_1_3"
    with (folder / "residual_ratios.csv").open() as file:
        blocks = [row["block"] for row in csv.DictReader(file)]
    assert blocks == ["conv2_1", "conv2_2", "conv3_1", "conv4_1"]
    # The same call finds the run finished: its spec.yaml can be read.
    kresnet.train("digits", folder, overrides=CHANGES, stages=[ThreeStage])
