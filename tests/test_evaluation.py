"""Evaluation against scikit-learn, NumPy, and what training reported."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

from kresnet import evaluate, measures
from kresnet.data import load_dataset, split_train_validation
from kresnet.errors import BadDataError, SpecError
from kresnet.evaluation import re_estimate
from kresnet.layers import BatchNormalization
from kresnet.training import load_run


@pytest.fixture
def run(digits_run, tmp_path):
    """A copy, since evaluations are written into the run folder."""
    return load_run(shutil.copytree(digits_run, tmp_path / "run"))


@pytest.fixture(scope="module")
def data():
    return load_dataset("digits")


def test_error_and_loss_agree_with_scikit_learn():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(200, 10))
    labels = generator.integers(0, 10, 200)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for top in (1, 5):
        want = sk.top_k_accuracy_score(labels, logits, k=top, labels=range(10))
        assert measures.error(logits, labels, top) == pytest.approx(
            100 * (1 - want)
        )
    assert measures.cross_entropy(logits, labels) == pytest.approx(
        sk.log_loss(labels, probabilities, labels=range(10))
    )


def test_logits_that_are_not_numbers_are_errors_and_ties_count_against_us():
    labels = np.array([0, 0, 1])
    logits = np.array([[np.nan, np.nan], [1.0, 1.0], [0.0, 1.0]])

    assert measures.error(logits, labels) == pytest.approx(100 * 2 / 3)


def test_the_test_error_is_the_one_that_training_reported(run):
    found = evaluate(run)

    assert found.error == run.info["test_error"]
    assert found.loss == pytest.approx(run.info["test_loss"], rel=1e-6)


def test_the_validation_error_is_the_last_of_metrics_csv(run):
    rows = np.genfromtxt(run.folder / "metrics.csv", delimiter=",", names=True)

    found = evaluate(run, split="validation")

    assert found.error == rows["validation_error"][-1]


def test_errors_by_class_and_confusion_belong_together(run, data):
    found = evaluate(run)

    logits = run.inference_model().predict(data.test_images, verbose=0)
    want = sk.confusion_matrix(data.test_labels, logits.argmax(1))
    np.testing.assert_array_equal(found.confusion, want)
    recall = np.diag(want) / want.sum(1)
    assert list(found.class_error) == list(data.class_names)
    np.testing.assert_allclose(
        list(found.class_error.values()), 100 * (1 - recall)
    )
    assert found.top5_error <= found.error


def test_numbers_and_protocol_are_written_as_json(run):
    found = evaluate(run, split="train")

    path = run.folder / "evaluation-train-moving-averages.json"
    assert json.loads(path.read_text()) == dataclasses.asdict(found)
    assert found.protocol["images"] == 1_300
    assert found.protocol["iteration"] == 60


def test_re_estimated_statistics_are_averages_over_the_groups(run, data):
    """Against a network run group by group, and NumPy's mean and variance."""
    train, _ = split_train_validation(len(data.train_images), 137)
    images = data.train_images[train][:200]

    model, used = re_estimate(run, images)

    assert used == 192  # three groups of 64
    network = run.inference_model().get_layer("network")
    norms = [x for x in network.layers if isinstance(x, BatchNormalization)]
    inputs = keras.Model(network.input, [norm.input for norm in norms])
    mean = run.inference_model().get_layer("per_pixel_mean")
    found = [
        [np.asarray(x) for x in inputs(mean(images[i : i + 64]), training=True)]
        for i in (0, 64, 128)
    ]
    for k, norm in enumerate(norms):
        layer = model.get_layer("network").get_layer(norm.name)
        groups = np.stack([group[k] for group in found]).astype("float64")
        np.testing.assert_allclose(
            layer.moving_mean,
            groups.mean((1, 2, 3)).mean(0),
            rtol=1e-4,
            atol=1e-4,
        )
        np.testing.assert_allclose(
            layer.moving_variance, groups.var((1, 2, 3)).mean(0), rtol=1e-3
        )


def test_re_estimation_changes_nothing_but_the_statistics(run, data):
    model, _ = re_estimate(run, data.train_images[:128])

    before = {w.path: w for w in run.inference_model().weights}
    for weight in model.weights:
        same = np.array_equal(weight, before[weight.path])
        assert same != weight.path.endswith(("moving_mean", "moving_variance"))


def test_the_protocol_says_which_statistics(run):
    found = evaluate(run, batch_norm="re-estimated")

    assert (
        "averages over 1,280 training images"
        in (found.protocol["batch_norm_statistics"])
    )
    assert found.error < 20


@pytest.mark.parametrize("option", [{"split": "dev"}, {"batch_norm": "none"}])
def test_unknown_options_are_refused_with_those_allowed(run, option):
    with pytest.raises(SpecError, match=r"must be one of .* Received: "):
        evaluate(run, **option)


def test_other_data_than_those_of_the_run_are_refused(run):
    run.info["data_fingerprint"] = "0" * 64

    with pytest.raises(BadDataError, match="other data"):
        evaluate(run)
