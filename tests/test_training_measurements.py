"""responses.csv and gradients.csv of whole runs."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from kresnet.data import Order, load_dataset, split_train_validation
from kresnet.errors import SpecError
from kresnet.instruments import Responses, measure_run
from kresnet.network import (
    adapt_transforms,
    all_variables,
    build_model,
    build_transforms,
    training_model,
)
from kresnet.records.checkpoints import Checkpoints
from kresnet.trained import open_trained
from kresnet.trained.arrays import from_arrays
from kresnet.training import train

OVERRIDES = (
    "training.iterations=20",
    "training.learning_rate.at=[10]",
    "training.evaluate_every=10",
)
ASKED = {
    "responses_every": 8,
    "response_images": 50,
    "gradients_every": 10,
    "checkpoint_every": 10,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured") / "run"
    return train("digits", folder, overrides=OVERRIDES, **ASKED)


def rows(folder, name):
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_responses_are_written_when_due_and_at_the_end(run):
    found = rows(run, "responses")
    ratios = rows(run, "residual_ratios")

    at = [int(row["iteration"]) for row in found]
    assert at == [8] * 7 + [16] * 7 + [20] * 7
    assert {row["images"] for row in found} == {"50"}
    assert len(ratios) == 3 * 3


def test_the_last_responses_are_those_of_the_trained_network(run):
    """Measured again by `kresnet responses` on the same images."""
    again, ratios = measure_run(Responses(), run, images=50).values()

    for name, column, rows_again in (
        ("responses", "std", again),
        ("residual_ratios", "ratio", ratios),
    ):
        last = [row for row in rows(run, name) if row["iteration"] == "20"]
        np.testing.assert_allclose(
            [float(row[column]) for row in last],
            [row[column] for row in rows_again],
            rtol=1e-5,
        )


def eager(network, names, images, training=False):
    """Outputs of layers, all of the images at once and outside of a graph."""
    outputs = [network.get_layer(name).output for name in names]
    found = keras.Model(network.input, outputs)(images, training=training)
    return {
        name: keras.ops.convert_to_numpy(values).astype("float64")
        for name, values in zip(names, found, strict=True)
    }


# Of every block: what adds up, and the names of its second layer and itself.
BLOCKS = [
    ("conv2_1_bn2", "conv1_relu", "conv2_1"),
    ("conv3_1_bn2", "conv3_1_shortcut", "conv3_1"),
    ("conv4_1_bn2", "conv4_1_shortcut", "conv4_1"),
]


def root_mean_square(values):
    return np.sqrt(np.mean(np.square(values)))


def held_in(split, count):
    """Images of digits, as floats; digits have no transform but a crop."""
    data = load_dataset("digits")
    train_split, _ = split_train_validation(len(data.train_images), split)
    return data.train_images[train_split][:count]


def test_responses_and_ratios_are_numpy_s(run):
    transforms, network = open_trained(run).layers()
    x = held_in(open_trained(run).spec.data.validation, 50)
    for layer in transforms[:1]:  # the mean; the others are random
        x = layer(x)
    pairs = {name for names in BLOCKS for name in names[:2]}

    found = eager(network, ["conv1_bn", *pairs], x)

    at_end = {
        row.get("layer") or row["block"]: row
        for name in ("responses", "residual_ratios")
        for row in rows(run, name)
        if row["iteration"] == "20"
    }
    for residual, shortcut, block in BLOCKS:
        want = root_mean_square(found[residual]) / root_mean_square(
            found[shortcut]
        )
        assert float(at_end[block]["ratio"]) == pytest.approx(want, rel=1e-4)
        std = found[residual].std()
        assert float(at_end[f"{block}_2"]["std"]) == pytest.approx(std, 1e-4)
    conv1 = found["conv1_bn"].std()
    assert float(at_end["conv1"]["std"]) == pytest.approx(conv1, rel=1e-4)


def test_the_initial_responses_are_those_of_one_batch_of_all_images(run):
    """Compared with the same network, all in memory at once, by NumPy."""
    spec = open_trained(run).spec
    batch_norm = {"images_per_statistic": None, "momentum": 0.0}
    norm = spec.model.batch_norm.model_copy(update=batch_norm)
    model = spec.model.model_copy(update={"batch_norm": norm})
    pixels = held_in(spec.data.validation, None)
    transforms = build_transforms(spec.data, spec.model.input)
    adapt_transforms(transforms, pixels)
    network, x = build_model(model, open_trained(run).seed), pixels[:50]
    for layer in transforms[:1]:
        x = layer(x)
    names = sorted({name for names in BLOCKS for name in names[:2]})

    responses_found, ratios = measure_run(
        Responses(), run, images=50, initial=True
    ).values()
    want = eager(network, names, x, training=True)

    stds = {row["layer"]: row["std"] for row in responses_found}
    found = {row["block"]: row["ratio"] for row in ratios}
    for residual, shortcut, block in BLOCKS:
        assert stds[f"{block}_2"] == pytest.approx(
            want[residual].std(), rel=1e-4
        )
        assert found[block] == pytest.approx(
            root_mean_square(want[residual]) / root_mean_square(want[shortcut]),
            rel=1e-4,
        )


def peak_memory_above(before):
    """Bytes of memory in use at the highest since `before` was returned."""
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    if before is None:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the highest
        return int(fields["VmRSS"].split()[0]) * 1024
    return int(fields["VmHWM"].split()[0]) * 1024 - before


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="Linux says its peak"
)
def test_the_memory_of_initial_responses_does_not_grow_with_the_depth(run):
    """31 layers of 4 MB each, three outputs a layer: 380 MB if kept."""
    stage = {"block": "plain", "blocks": 5, "width": 16, "stride": 1}
    deep = open_trained(run).spec.model_dump()
    deep["model"]["stages"] = [stage] * 3
    deep["expect"] = None
    spec = type(open_trained(run).spec).model_validate(deep)
    one = dataclasses.replace(open_trained(run), spec=spec)

    before = peak_memory_above(None)
    found, _ = measure_run(Responses(), one, images=0, initial=True).values()

    assert len(found) == 31
    assert peak_memory_above(before) < 200e6


def test_zero_images_are_all_of_the_split(run, tmp_path):
    """Of `kresnet responses`, and of a training that measures."""
    opened = open_trained(run)
    images = held_in(opened.spec.data.validation, None)

    found, ratios = measure_run(Responses(), run, images=0).values()
    folder = train(
        "digits",
        tmp_path / "run",
        overrides=("training.iterations=1", "training.learning_rate.at=[]"),
        responses_every=1,
        response_images=0,
    )

    measured = found + ratios + rows(folder, "responses")
    counts = {int(row["images"]) for row in measured}
    assert counts == {len(images)} == {1_437 - 137}


def test_the_initial_responses_are_one(run):
    """What batch norm makes of any layer, on the images it saw."""
    found, ratios = measure_run(
        Responses(), run, images=50, initial=True
    ).values()

    np.testing.assert_allclose([row["std"] for row in found], 1, rtol=1e-3)
    assert {row["iteration"] for row in found + ratios} == {0}


def test_gradient_norms_are_of_every_kernel(run):
    found = rows(run, "gradients")

    assert [int(row["iteration"]) for row in found] == [0] * 8 + [10] * 8 + [
        20
    ] * 8
    assert [row["layer"] for row in found[:8]] == [
        "conv1",
        *(f"conv{i}_1_{j}" for i in (2, 3, 4) for j in (1, 2)),
        "fc",
    ]
    assert all(float(row["norm"]) > 0 for row in found)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's tape"
)
@pytest.mark.parametrize("iteration", [0, 10])
def test_gradient_norms_are_those_of_the_coming_batch_in_training(
    run, iteration
):
    assert_norms_are_the_tape_s(run, iteration)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's tape"
)
def test_gradient_norms_where_a_batch_is_one_group(tmp_path):
    run = train(
        "digits",
        tmp_path / "run",
        overrides=(*OVERRIDES, "training.batch_size=64"),
        gradients_every=10,
    )

    assert_norms_are_the_tape_s(run, 0)


def assert_norms_are_the_tape_s(run, iteration):
    """Taken again by a tape, from the cross-entropy that Keras has."""
    import tensorflow as tf

    opened = open_trained(run)
    spec, data = opened.spec, load_dataset("digits")
    split, _ = split_train_validation(
        len(data.train_images), spec.data.validation
    )
    transforms = build_transforms(spec.data, spec.model.input)
    adapt_transforms(transforms, data.train_images[split])
    network = build_model(spec.model, opened.seed)
    if iteration:
        checkpoints = Checkpoints(run / "checkpoints", pytest.fail)
        saved = checkpoints.load(iteration)
        from_arrays(all_variables(transforms, network), saved.weights)
    model = training_model(transforms, network)
    order = Order(split, spec.training.batch_size, opened.seed)
    (indices,), (keys,) = order.batches(iteration, 1)
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]

    with tf.GradientTape() as tape:
        logits = model([data.train_images[indices], keys], training=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
            data.train_labels[indices], logits
        )
    gradients = tape.gradient(loss, [kernel.value for kernel in kernels])

    got = [
        float(row["norm"])
        for row in rows(run, "gradients")
        if row["iteration"] == str(iteration)
    ]
    want = [np.linalg.norm(gradient) for gradient in gradients]
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_measuring_changes_nothing(run, tmp_path):
    plain = train(
        "digits", tmp_path / "run", overrides=OVERRIDES, checkpoint_every=10
    )

    name = "checkpoints/00000020/weights.safetensors"
    assert (plain / name).read_bytes() == (run / name).read_bytes()
    assert not (plain / "responses.csv").exists()


def test_a_resumed_run_has_every_row_once(run, tmp_path):
    killed = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(killed / "checkpoints" / "00000020")
    info = json.loads((killed / "run.json").read_text())
    info |= {"status": "running", "iteration": 10, "checkpoint": 10}
    (killed / "run.json").write_text(json.dumps(info))

    train("digits", killed, overrides=OVERRIDES, **ASKED)

    for name in ("responses", "residual_ratios", "gradients"):
        assert rows(killed, name) == rows(run, name)


def test_less_than_one_iteration_apart_is_refused(tmp_path):
    with pytest.raises(SpecError, match="-every: must be an integer from 1"):
        train("digits", tmp_path, responses_every=0)
