"""Layers that are not trained keep every bit of their weights."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import small_network

from kresnet.errors import SpecError
from kresnet.spec import dump_spec, load_spec
from kresnet.trained import open_trained
from kresnet.training import train

OVERRIDES = (
    *small_network.OVERRIDES,
    "training.iterations=6",
    "training.learning_rate.at=[4]",
    "training.evaluate_every=3",
)
CLASSIFIER = (*OVERRIDES, "training.trained=[fc]")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of the small network; do not write into it."""
    folder = tmp_path_factory.mktemp("source") / "run"
    return train("digits", folder, overrides=OVERRIDES)


def changed(before, after):
    """The layers of which any array has another bit, but for transforms."""
    first, second = (open_trained(each).weights for each in (before, after))
    assert first.keys() == second.keys()
    return {
        path.partition("/")[0]
        for path, array in first.items()
        if array.tobytes() != second[path].tobytes()
    }


@pytest.mark.parametrize("rematerialize", [False, True])
def test_the_classifier_alone_is_trained(rematerialize, source, tmp_path):
    """Batch of 128 in groups of 64: two passes, whose results are averaged."""
    out = train(
        "digits",
        tmp_path / "run",
        overrides=CLASSIFIER,
        begin_with=source,
        rematerialize=rematerialize,
    )

    assert changed(source, out) == {"fc"}


@pytest.mark.parametrize(
    ("backend", "devices"),
    [("jax", "cpu"), ("tensorflow", "cpu:2"), ("jax", "cpu:2")],
)
def test_elsewhere_too(backend, devices, source, tmp_path):
    overrides = [f"--set={each}" for each in CLASSIFIER]
    subprocess.run(
        [
            *(sys.executable, "-m", "kresnet", "train", "digits"),
            *(*overrides, f"--begin-with={source}"),
            *(f"--out={tmp_path / 'run'}", f"--devices={devices}"),
        ],
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        check=True,
        capture_output=True,
    )

    assert changed(source, tmp_path / "run") == {"fc"}


def test_a_stage_is_trained_by_its_name(source, tmp_path):
    overrides = [*OVERRIDES, "training.trained=[conv2_x]"]

    out = train(
        "digits", tmp_path / "run", overrides=overrides, begin_with=source
    )

    names = {"conv1", "bn1", "conv2", "bn2"}
    assert changed(source, out) == {f"conv2_1_{name}" for name in names}


def test_statistics_of_frozen_layers_are_not_re_estimated(source, tmp_path):
    """The rest was trained with them; whose norms are all frozen has none."""
    runs = [
        train(
            "digits",
            tmp_path / name,
            overrides=[*OVERRIDES, f"training.trained=[{name}]"],
            begin_with=source,
        )
        for name in ("conv2_x", "fc")
    ]
    some, none = (open_trained(each).with_layers("a test") for each in runs)
    images, _ = some.data().parts(some.spec.data.validation)

    again = some.re_estimated(images)

    moved = {
        path
        for path, array in some.weights.items()
        if array.tobytes() != again.weights[path].tobytes()
    }
    assert moved == {
        f"conv2_1_bn{number}/moving_{statistic}"
        for number in (1, 2)
        for statistic in ("mean", "variance")
    }
    with pytest.raises(SpecError, match="all of it is frozen; trained is fc"):
        none.re_estimated(images)


def test_it_goes_on_to_the_same_weights(source, tmp_path):
    """A run without its last checkpoint goes on from the one before."""
    out = tmp_path / "run"
    options = {"overrides": CLASSIFIER, "begin_with": source}
    train("digits", out, checkpoint_every=2, **options)
    whole = tmp_path / "whole"
    shutil.copytree(out, whole)
    shutil.rmtree(max((out / "checkpoints").iterdir()))
    record = json.loads((out / "run.json").read_text())
    record |= {"status": "stopped", "checkpoint": 4, "iteration": 4}
    (out / "run.json").write_text(json.dumps(record))

    train("digits", out, checkpoint_every=2, **options)

    assert open_trained(out).iteration == 6
    assert changed(whole, out) == set()


def test_names_are_those_of_the_network():
    for name in ("conv1", "conv2_x", "conv4_18", "fc"):
        spec = load_spec("resnet110", [f"training.trained=[{name}]"])
        assert spec.training.trained == (name,)
    for name in ("conv5_x", "conv2_19", "pool", "conv2"):
        with pytest.raises(
            SpecError, match="conv1, conv2_x, conv3_x, conv4_x, fc"
        ):
            load_spec("resnet110", [f"training.trained=[{name}]"])
    with pytest.raises(SpecError, match="a list of"):
        load_spec("resnet110", ["training.trained=[]"])


def test_specs_without_it_say_nothing_of_it(tmp_path):
    spec = load_spec("resnet20")
    path = tmp_path / "resnet20.yaml"
    frozen = load_spec("resnet20", ["training.trained=[fc]"])

    path.write_text(dump_spec(frozen))

    assert "trained" not in dump_spec(spec)
    assert load_spec(path) == frozen
