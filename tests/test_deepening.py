"""The constructed solution: a deepened net computes what it was made of."""

import csv
import hashlib
import json
import shutil

import keras
import numpy as np
import pytest

import kresnet
from kresnet.errors import InputMissingError, SpecError
from kresnet.explain import DEVIATES, explain
from kresnet.instruments import Responses, measure_run
from kresnet.layers import BatchNormalization
from kresnet.network import build_model, inference_model
from kresnet.spec import load_spec
from kresnet.spec.recipe import reasons_not_deeper
from kresnet.trained import open_trained
from kresnet.trained.arrays import from_arrays, to_arrays
from kresnet.trained.measures import predict_logits
from kresnet.training.begin_with import (
    deepened,
    identity_kernel,
    identity_norm,
    stage_statistics,
)


def stages(*blocks):
    """The override that makes the network of `digits` a plain one."""
    widths = zip(blocks, (16, 32, 64), (1, 2, 2), strict=True)
    listed = ", ".join(
        f"{{block: plain, blocks: {b}, width: {w}, stride: {s}}}"
        for b, w, s in widths
    )
    return f"model.stages=[{listed}]"


SHALLOW = (
    stages(1, 1, 1),
    "training.iterations=60",
    "training.learning_rate.at=[40]",
    "training.evaluate_every=60",
)
DEEP = (
    stages(2, 1, 3),
    "training.learning_rate={start: 0.001, divide_by: 10, at: []}",
    "training.iterations=20",
    "training.evaluate_every=10",
)


def train_deep(folder, source, *more, **arguments):
    return kresnet.train(
        "digits",
        folder,
        overrides=[*DEEP, *more],
        deepen=source,
        checkpoint_every=10,
        **arguments,
    )


@pytest.fixture(scope="module")
def shallow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "shallow"
    return kresnet.train(
        "digits", folder, overrides=SHALLOW, checkpoint_every=50
    )


@pytest.fixture(scope="module")
def deep(shallow, tmp_path_factory):
    return train_deep(tmp_path_factory.mktemp("runs") / "deep", shallow)


def info(folder):
    return json.loads((folder / "run.json").read_text())


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def activations(run, images):
    """What the stages of a run's network emit, as in inference."""
    transforms, network = run.layers()
    ends = [network.get_layer(f"conv{i}_1_out").output for i in (2, 3, 4)]
    observer = inference_model(transforms, keras.Model(network.input, ends))
    return [np.asarray(x) for x in observer.predict_on_batch(images)]


def test_channel_statistics_are_numpy_s(shallow):
    """Over images, rows and columns; also where the last batch is short."""
    run = open_trained(shallow)
    images = run.data().train_images[:230]

    found = stage_statistics(*run.layers(), run.spec.model, images, 100)

    for x, (mean, variance) in zip(
        activations(run, images), found, strict=True
    ):
        x = x.astype("float64")
        np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-5)
        np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_an_added_layer_is_the_identity_on_real_activations(
    shallow, stage, training
):
    """In training too, where the batch has the statistics it was made from."""
    run = open_trained(shallow)
    x = activations(run, run.data().train_images[:64])[stage]
    width, exact = x.shape[-1], x.astype("float64")
    conv = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)
    norm = BatchNormalization(images_per_statistic=64)
    conv.build(x.shape)
    norm.build(x.shape)
    conv.kernel.assign(identity_kernel(width))
    for name, array in identity_norm(
        exact.mean((0, 1, 2)), exact.var((0, 1, 2)), norm.epsilon
    ).items():
        getattr(norm, name).assign(array)

    y = keras.ops.relu(norm(conv(x), training=training))

    assert x.max() > 1
    np.testing.assert_allclose(np.asarray(y), x, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("plain32", []),
        ("plain20", ["model.stages[2].blocks=6"]),  # plain26, uneven
    ],
)
def test_a_deepened_plain20_has_the_logits_of_plain20(name, overrides):
    """Whatever its weights, some channels dead and their variance 0."""
    spec = load_spec("plain20")
    deep = load_spec(name, overrides)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (64, 32, 32, 3), "uint8")
    network = build_model(spec.model, 1)
    network(images.astype("float32") / 64, training=True)  # moving averages
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            shape = layer.gamma.shape
            layer.gamma.assign(random.uniform(0.2, 2, shape))
            layer.beta.assign(random.normal(0, 1, shape))
    network.get_layer("conv3_3_bn2").gamma.assign(np.zeros(32))
    network.get_layer("conv3_3_bn2").beta.assign(np.linspace(-1, 1, 32))
    rescale = [keras.layers.Rescaling(1 / 64)]
    statistics = stage_statistics(rescale, network, spec.model, images)
    deeper = build_model(deep.model, 2)

    weights = to_arrays(network.weights)
    from_arrays(
        deeper.weights, deepened(spec.model, deep.model, weights, statistics)
    )

    want = predict_logits(inference_model(rescale, network), images)
    got = predict_logits(inference_model(rescale, deeper), images)
    assert want.std() > 1
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_a_deepened_run_begins_with_the_errors_of_its_source(shallow, deep):
    first, *rest = rows(deep)
    source = rows(shallow)[-1]

    assert (first["iteration"], first["training_error"]) == ("0", "")
    assert float(first["learning_rate"]) == 0.001
    assert first["validation_error"] == source["validation_error"]
    assert float(first["validation_loss"]) == pytest.approx(
        float(source["validation_loss"]), abs=1e-5
    )
    assert [row["iteration"] for row in rest] == ["10", "20"]
    found = info(deep)["deepened"]
    assert found["test_error"] == info(shallow)["test_error"]
    assert found["test_loss"] == pytest.approx(
        info(shallow)["test_loss"], abs=1e-5
    )


def test_the_record_names_the_source_and_the_sum_of_its_weights(shallow, deep):
    weights = shallow / "checkpoints" / "00000060" / "weights.safetensors"

    found = info(deep)["deepened"]

    assert info(deep)["identity"]["beginning"] == {
        "source": info(shallow)["identity"],
        "weights": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "kept_transforms": False,
    }
    assert (found["run"], found["iteration"]) == (str(shallow), 60)
    assert info(deep)["best_validation"]["iteration"] in (10, 20)


def test_a_deepened_run_is_explained_as_one(deep):
    run = open_trained(deep)
    points = {p.topic: p for p in explain(run.spec, run.record)}

    point = points["initial weights"]

    assert point.grade == DEVIATES
    assert point.here.startswith("those of digits at iteration 60, and added")
    ordinary = run.record.model_copy(update={"deepened": None})
    topics = [point.topic for point in explain(run.spec, ordinary)]
    assert "initial weights" not in topics


def test_the_weights_it_began_with_cannot_be_drawn_again(deep):
    with pytest.raises(SpecError, match="weights that were trained elsewhere"):
        measure_run(Responses(), deep, images=10, initial=True)


@pytest.fixture
def killed(deep, tmp_path):
    """The run as if killed between iterations 10 and 20."""
    folder = shutil.copytree(deep, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints" / "00000020")
    changed = info(folder) | {"status": "running", "checkpoint": 10}
    (folder / "run.json").write_text(json.dumps(changed))
    return folder


def test_a_deepened_run_goes_on_to_the_same_weights(killed, deep, shallow):
    train_deep(killed, shallow)

    last = "checkpoints/00000020/weights.safetensors"
    assert (killed / last).read_bytes() == (deep / last).read_bytes()
    for name in ("metrics.csv", "losses.csv"):
        assert (killed / name).read_bytes() == (deep / name).read_bytes()
    assert info(killed)["deepened"] == info(deep)["deepened"]


@pytest.mark.parametrize("recorded", [True, False])
def test_it_does_not_go_on_without_its_source(killed, recorded):
    if not recorded:  # the checkpoint knows too
        (killed / "run.json").unlink()

    with pytest.raises(
        SpecError, match=r"--begin-with\): weights \w+… -> none"
    ):
        train_deep(killed, None)


def test_it_does_not_go_on_from_another_source(killed, shallow, tmp_path):
    other = kresnet.train(
        "digits", tmp_path / "other", overrides=SHALLOW, seed=1
    )

    with pytest.raises(SpecError, match=r"weights \w+… -> weights \w+…"):
        train_deep(killed, other)


def test_an_ordinary_run_does_not_go_on_deepened(shallow, deep, tmp_path):
    ordinary = train_deep(tmp_path / "ordinary", None)
    assert "deepened" not in info(ordinary)

    with pytest.raises(SpecError, match=r"none -> weights \w+…"):
        train_deep(ordinary, shallow)


def test_a_source_must_be_finished_and_have_its_last_checkpoint(
    shallow, tmp_path
):
    source = shutil.copytree(shallow, tmp_path / "source")
    whole = info(source)
    ended = {"status": "diverged"}
    (source / "run.json").write_text(json.dumps(whole | ended))
    with pytest.raises(SpecError, match="must be finished"):
        train_deep(tmp_path / "deep", source)
    (source / "run.json").write_text(json.dumps(whole))
    shutil.rmtree(max((source / "checkpoints").iterdir()))
    with pytest.raises(InputMissingError, match="last iteration, 60, is not"):
        train_deep(tmp_path / "deep", source)
    with pytest.raises(InputMissingError, match="no such folder"):
        train_deep(tmp_path / "deep", tmp_path / "none")
    with pytest.raises(SpecError, match="must name a run"):
        train_deep(tmp_path / "deep", "")
    assert not (tmp_path / "deep").exists()


def test_a_source_of_another_kind_is_refused_with_every_reason(
    shallow, tmp_path
):
    with pytest.raises(SpecError) as caught:
        train_deep(
            tmp_path / "deep",
            shallow,
            "model.stages[1].width=48",
            "data.validation=100",
        )

    message = str(caught.value)
    assert "model.stages[1].width: 32 -> 48: must not differ" in message
    assert "data.validation: 137 -> 100: must not differ" in message


@pytest.mark.parametrize(
    ("shallow", "deep", "reason"),
    [
        ("plain20", "plain20", "no block is added"),
        ("plain32", "plain20", "stages[0].blocks: 5 -> 3: must not become"),
        ("plain20", "resnet32", "stages[0].block: must be plain"),
        ("resnet20", "resnet32", "stages[0].block: must be plain"),
        ("resnet20", "plain32", 'block: "basic" -> "plain": must not dif'),
    ],
)
def test_why_a_net_is_not_another_one_deepened(shallow, deep, reason):
    reasons = reasons_not_deeper(load_spec(shallow), load_spec(deep))

    assert any(reason in line for line in reasons)


def test_a_deepened_net_may_be_trained_by_another_schedule():
    deep = load_spec("plain56", ["training.learning_rate.start=0.001"])

    assert reasons_not_deeper(load_spec("plain20"), deep) == []
