"""The PyTorch reference trains as kresnet does."""

import os
from pathlib import Path

import numpy as np
import pytest

from kresnet.benchmark.bench import open_subjects
from kresnet.spec import load_spec

REFERENCE = Path(__file__).parent / "reference"
ITERATIONS = 20
EAGER = ("eager, groups together", "eager, groups apart")
COMPILED = ("compiled, groups together", "compiled, groups apart")
BLOCKS = (
    "block: basic, shortcut: A",
    "block: basic, shortcut: B",
    "block: basic, shortcut: C",
    "block: plain",
)

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _torch():
    pytest.importorskip("torch")


def largest_difference(name, overrides, variants):
    """Between losses of kresnet and the reference, relative, in float64."""
    rate = "training.learning_rate={start: 0.01, divide_by: 10, at: []}"
    spec = load_spec(name, [rate, *overrides])
    with open_subjects(
        spec, ["tensorflow"], REFERENCE, precision="float64"
    ) as (kresnet, reference):
        ours = np.array(kresnet.run("losses", ITERATIONS)["losses"])
        theirs = np.array(
            [
                reference.run(f"losses, {variant}", ITERATIONS)["losses"]
                for variant in variants
            ]
        )
    assert theirs.shape == (len(variants), ITERATIONS)
    return np.abs(theirs / ours - 1).max()


@pytest.mark.parametrize("block", BLOCKS)
def test_losses_on_digits_agree(block):
    stage = f"model.stages[1]={{{block}, blocks: 1, width: 32, stride: 2}}"

    assert largest_difference("digits", [stage], EAGER) < 1e-6


BOTTLENECK = (
    "block: bottleneck, shortcut: B, blocks: 2, width: 8, output: 32,"
    " stride: 2, stride_in: {}, groups: {}"
)
PARTS = {
    "1x1": [f"model.stages[1]={{{BOTTLENECK.format('1x1', 1)}}}"],
    "3x3": [f"model.stages[1]={{{BOTTLENECK.format('3x3', 4)}}}"],
    "end": ["model.stem.pool={kernel: 3, stride: 2, padding: end}"],
    "even": ["model.stem.pool={kernel: 3, stride: 2, padding: even}"],
    "vgg": [
        "model.stem=null",
        "model.stages=[{block: convolutions, layers: 2, width: 8,"
        " pool: {kernel: 2, stride: 2}}]",
        "model.head={dense: [12, 8]}",
        "model.batch_norm=null",
        "training.decay_biases=true",
    ],
}


@pytest.mark.parametrize("name", PARTS)
def test_losses_of_imagenet_s_blocks_agree(name):
    assert largest_difference("digits", PARTS[name], EAGER) < 1e-6


def test_compiled_the_losses_agree_too():
    assert largest_difference("digits", [], COMPILED) < 1e-6


@pytest.mark.skipif(
    "KRESNET_DATA_DIR" not in os.environ, reason="needs prepared CIFAR-10"
)
def test_losses_of_resnet20_on_cifar10_agree():
    assert largest_difference("resnet20", [], EAGER[1:]) < 1e-6
