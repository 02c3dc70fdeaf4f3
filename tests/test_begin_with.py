"""Runs that begin with the weights of a run or an import."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import small_network
from safetensors.numpy import save_file

from kresnet.architecture import inventory
from kresnet.errors import SpecError
from kresnet.explain import explain
from kresnet.importing import import_weights
from kresnet.network import build_model
from kresnet.spec import load_spec
from kresnet.trained import open_trained
from kresnet.training import train
from kresnet.training.begin_with import open_begin_with

OVERRIDES = (
    *small_network.OVERRIDES,
    "training.iterations=6",
    "training.learning_rate.at=[4]",
    "training.evaluate_every=3",
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of the small network; do not write into it."""
    folder = tmp_path_factory.mktemp("source") / "run"
    return train("digits", folder, overrides=OVERRIDES)


def begun(source, out, *more, **options):
    overrides = [*OVERRIDES, "training.learning_rate.start=1e-30", *more]
    return train(
        "digits", out, overrides=overrides, begin_with=source, **options
    )


@pytest.mark.parametrize("kind", ["run", "import"])
def test_it_begins_with_the_weights(kind, source, tmp_path):
    """At a rate of 1e-30 an update changes nothing but the averages."""
    given = open_trained(source)
    if kind == "import":
        checkpoint = max((source / "checkpoints").iterdir())
        import_weights(
            [checkpoint / "weights.safetensors"],
            given.spec,
            tmp_path / "import",
        )
        source = tmp_path / "import"

    run = open_trained(begun(source, tmp_path / "run"))

    for path, array in given.weights.items():
        if "moving_" not in path:
            np.testing.assert_array_equal(run.weights[path], array, path)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["begun_with"]["folder"] == str(source)
    assert "deepened" not in record
    assert len(record["begun_with"]["weights"]) == 64


def test_other_weights_are_another_experiment(source, tmp_path):
    out = tmp_path / "run"
    begun(source, out)
    overrides = [*OVERRIDES, "training.learning_rate.start=1e-30"]

    with pytest.raises(SpecError, match=r"--begin-with\): weights .* -> none"):
        train("digits", out, overrides=overrides)
    with pytest.raises(SpecError, match="transforms adapted -> kept"):
        begun(source, out, keep_transforms=True)


def test_it_goes_on_to_the_same_weights(source, tmp_path):
    """A run without its last checkpoint goes on from the one before."""
    out = tmp_path / "run"
    overrides = OVERRIDES
    options = {"overrides": overrides, "begin_with": source}
    train("digits", out, checkpoint_every=2, **options)
    whole = open_trained(out).weights
    last = max((out / "checkpoints").iterdir())
    shutil.rmtree(last)
    record = json.loads((out / "run.json").read_text())
    record |= {"status": "stopped", "checkpoint": 4, "iteration": 4}
    (out / "run.json").write_text(json.dumps(record))

    train("digits", out, checkpoint_every=2, **options)

    again = open_trained(out)
    assert again.iteration == 6
    for path, array in whole.items():
        np.testing.assert_array_equal(again.weights[path], array, path)


def test_statistics_of_transforms_are_adapted_or_kept(source, tmp_path):
    """With another validation split the mean image is another one."""
    own = open_trained(source).weights["per_pixel_mean/mean"]
    other = "data.validation=500"

    adapted, kept = (
        open_trained(
            begun(source, tmp_path / str(keep), other, keep_transforms=keep)
        ).weights["per_pixel_mean/mean"]
        for keep in (False, True)
    )

    np.testing.assert_array_equal(kept, own)
    assert (adapted != own).any()


def test_a_classifier_that_does_not_fit_or_is_not_there_is_drawn(
    source, tmp_path
):
    """From the seed, as without any beginning; the rest is taken."""
    given = open_trained(source)
    checkpoint = max((source / "checkpoints").iterdir())
    weights = checkpoint / "weights.safetensors"
    folder = tmp_path / "import"
    import_weights([weights], given.spec, folder, classifier=False)

    out = begun(folder, tmp_path / "run", seed=3)

    run = open_trained(out)
    drawn = build_model(given.spec.model, 3).get_layer("fc").kernel
    np.testing.assert_array_equal(run.weights["fc/kernel"], np.asarray(drawn))
    kernel = "conv2_1_conv1/kernel"
    np.testing.assert_array_equal(run.weights[kernel], given.weights[kernel])
    record = json.loads((out / "run.json").read_text())
    assert record["begun_with"]["drawn"] == ["fc"]
    points = {p.topic: p for p in explain(run.spec, run.record)}
    here = points["initial weights"].here
    assert here == f"those of {folder}, digits; drawn: fc"


def test_a_classifier_of_other_classes_is_drawn(tmp_path):
    """CIFAR-10's network begins one for CIFAR-100."""
    ten = load_spec("resnet20")
    arrays = {
        f"{part.name}/{array}": np.ones(shape, "float32")
        for part in inventory(ten.model)
        for array, shape in part.shapes.items()
    }
    arrays["per_pixel_mean/mean"] = np.ones((32, 32, 3), "float32")
    save_file(arrays, tmp_path / "x.safetensors")
    import_weights([tmp_path / "x.safetensors"], ten, tmp_path / "import")
    changes = ["data.dataset=cifar100", "model.classes=100"]

    begun = open_begin_with(tmp_path / "import", load_spec("resnet20", changes))

    assert begun.drawn == ("fc",)
    assert begun.about.endswith("drawn anew: fc")


def test_what_no_array_shows_of_another_network_is_said(source):
    """Nor is a run that has ended before its last iteration taken silently."""
    changes = ["model.batch_norm.epsilon=1e-3", "model.stages[0].stride=2"]
    spec = load_spec("digits", [*OVERRIDES, *changes])

    begun = open_begin_with(source, spec)

    assert begun.about == (
        f"beginning with the weights of {source}; another network:"
        " model.stages[0].stride: 1 -> 2,"
        " model.batch_norm.epsilon: 1e-05 -> 0.001"
    )
    unfinished = dataclasses.replace(
        begun.source,
        record=begun.source.record.model_copy(update={"status": "stopped"}),
    )
    assert (
        " at iteration 6 and not finished"
        in dataclasses.replace(begun, source=unfinished).about
    )


def test_another_network_is_refused_with_its_layers(source, tmp_path):
    with pytest.raises(SpecError) as caught:
        begun(source, tmp_path / "run", "model.stages[0].width=9")

    assert "conv2_1_conv1: 3×3×8×8, not 3×3×8×9" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_another_kind_of_norm_is_another_network(source, tmp_path):
    """Group norm has batch norm's scales and offsets, and no averages."""
    changes = ["model.batch_norm=null", "model.group_norm={channels: 4}"]

    with pytest.raises(SpecError, match="conv1_bn: 8, 8, 8, 8, not 8, 8, none"):
        begun(source, tmp_path / "run", *changes)


def test_what_contradicts_is_refused(source, exported, tmp_path):
    with pytest.raises(SpecError, match="needs the layers"):
        begun(exported, tmp_path / "run")
    with pytest.raises(SpecError, match="must have the transforms"):
        begun(
            source,
            tmp_path / "run",
            "data.transforms=[{layer: channel_mean}]",
            keep_transforms=True,
        )
    with pytest.raises(SpecError, match="goes with --begin-with"):
        train("digits", tmp_path / "run", keep_transforms=True)
    with pytest.raises(SpecError, match="goes without --begin-with"):
        begun(source, tmp_path / "run", deepen=source)
