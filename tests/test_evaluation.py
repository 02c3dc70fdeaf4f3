"""Evaluation against scikit-learn, NumPy, and what training reported."""

import dataclasses
import json
import shutil
from functools import partial

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

import kresnet
from kresnet import evaluate, sealed_folder
from kresnet.cli import app
from kresnet.cli import run as run_command
from kresnet.data import Order, load_dataset, split_train_validation
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.exporting import export
from kresnet.instruments import Responses, measure_run
from kresnet.layers import BatchNormalization
from kresnet.network import build_transforms
from kresnet.prediction import predict
from kresnet.trained import measures, open_trained

# Whatever uses the network of a run.
USES = {
    "evaluate": evaluate,
    "responses": partial(measure_run, Responses()),
    "export": export,
    "predict": lambda run, **chosen: predict(run, [], **chosen),
}


@pytest.fixture
def run(digits_run, tmp_path):
    """A copy, since evaluations are written into the run folder."""
    return open_trained(shutil.copytree(digits_run, tmp_path / "run"))


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

    assert found.error == run.record.test_error
    assert found.loss == pytest.approx(run.record.test_loss, rel=1e-6)


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
    content = found.model_dump(mode="json", exclude_none=True)
    assert json.loads(path.read_text()) == content
    assert found.protocol.images == 1_300
    assert found.protocol.iteration == 60


def test_re_estimated_statistics_are_averages_over_the_groups(run, data):
    """Against a network run group by group, and NumPy's mean and variance."""
    train, _ = split_train_validation(len(data.train_images), 137)
    images = data.train_images[train][:200]

    found = run.re_estimated(images)

    assert "over 192 training images" in found.statistics  # 3 groups of 64
    model = found.inference_model()
    network = run.inference_model().get_layer("network")
    norms = [x for x in network.layers if isinstance(x, BatchNormalization)]
    inputs = keras.Model(network.input, [norm.input for norm in norms])
    mean = run.inference_model().get_layer("per_pixel_mean")
    _, *random = build_transforms(run.spec.data, run.spec.model.input)
    assert random
    order = Order(np.arange(200), 64, seed=0)
    found = []
    for indices, keys in map(order.batch, range(3)):
        x = mean(images[indices])
        for layer in random:
            x = layer(x, keys, training=True)
        found.append([np.asarray(x) for x in inputs(x, training=True)])
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
    model = run.re_estimated(data.train_images[:128]).inference_model()

    before = {w.path: w for w in run.inference_model().weights}
    for weight in model.weights:
        same = np.array_equal(weight, before[weight.path])
        assert same != weight.path.endswith(("moving_mean", "moving_variance"))


def test_the_protocol_says_which_statistics(run):
    found = evaluate(run, batch_norm="re-estimated")

    assert "averages over 1,280 training images" in (
        found.protocol.batch_norm_statistics
    )
    assert found.error < 20


@pytest.mark.parametrize("option", [{"split": "dev"}, {"batch_norm": "none"}])
def test_unknown_options_are_refused_with_those_allowed(run, option, tmp_path):
    out = tmp_path / "new"
    with pytest.raises(SpecError, match=r"must be one of .* Received: "):
        evaluate(run, **option, out=out)
    assert not out.exists()


def test_other_data_than_those_of_the_run_are_refused(run):
    identity = run.identity.with_data("0" * 64)

    with pytest.raises(BadDataError, match="other data"):
        evaluate(dataclasses.replace(run, identity=identity))


@pytest.mark.parametrize("split", ["test", "validation", "train"])
def test_an_export_has_the_errors_of_its_run(run, exported, split):
    own = evaluate(run, split)

    found = evaluate(exported, split)

    assert found.error == own.error
    assert found.top5_error == own.top5_error
    assert found.class_error == own.class_error
    assert found.confusion == own.confusion
    assert found.loss == pytest.approx(own.loss, rel=1e-5)
    assert found.identity.differences(own.identity) == []
    network = {"network": "export, tf_saved_model"}
    assert found.protocol == own.protocol.model_copy(update=network)


def test_probabilities_that_were_rounded_to_0_have_a_finite_loss(exported):
    opened = open_trained(exported)
    certain = np.eye(10, dtype="float32")[[0]]

    # In place of the function that would be loaded.
    vars(opened)["probabilities"] = lambda x: np.repeat(certain, len(x), 0)
    found = evaluate(opened)

    zeros = load_dataset("digits").test_labels == 0
    assert found.error == pytest.approx(100 * (1 - zeros.mean()))
    assert found.loss == pytest.approx(103.28 * (1 - zeros.mean()), rel=1e-3)


def test_of_an_export_nothing_is_written_but_to_out(exported, tmp_path, capsys):
    code = run_command(app, ["evaluate", str(exported)])
    assert code == 0
    assert "not written: an export is sealed" in capsys.readouterr().out
    sealed_folder.verify(exported)

    code = run_command(app, ["evaluate", str(exported), f"--out={tmp_path}"])
    assert code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "evaluation-test-moving-averages.json",
        "evaluation-test-moving-averages.png",
    ]


def test_what_only_a_run_can_is_refused_of_an_export(exported, tmp_path):
    for use, refused in (
        (partial(evaluate, batch_norm="re-estimated"), "--batch-norm re-est"),
        (partial(export, out=tmp_path / "again"), "export: "),
        (partial(measure_run, Responses()), "responses: "),
        (partial(measure_run, Responses(), initial=True), "responses: "),
        (lambda e: kresnet.train("plain20", tmp_path, deepen=e), "--deepen: "),
    ):
        message = f"{refused}.*needs the layers of a run. Received: {exported}"
        with pytest.raises(SpecError, match=message):
            use(exported)
    assert list(tmp_path.iterdir()) == []
    for inside in (exported, exported / "variables"):
        with pytest.raises(SpecError, match="--out: an export is sealed"):
            evaluate(exported, out=inside)
    sealed_folder.verify(exported)


def test_an_empty_name_is_no_folder_to_write_to(run, exported):
    for network in (run, exported):
        with pytest.raises(SpecError, match=r'--out: must name .* ""'):
            evaluate(network, out="")


def test_other_data_than_those_of_an_export_are_refused(exported):
    opened = open_trained(exported)
    identity = opened.identity.with_data("0" * 64)

    with pytest.raises(BadDataError, match="other data"):
        evaluate(dataclasses.replace(opened, identity=identity))


def test_a_damaged_export_is_not_evaluated(exported, tmp_path):
    copy = shutil.copytree(exported, tmp_path / "copy")
    weights = copy / "variables" / "variables.data-00000-of-00001"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)

    with pytest.raises(BadDataError, match="SHA-256"):
        evaluate(copy)


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.pkl", "net.pb"])
def test_model_files_from_elsewhere_are_not_evaluated(tmp_path, name):
    (tmp_path / name).write_bytes(b"import os")

    with pytest.raises(SpecError, match="own folders only"):
        evaluate(tmp_path / name)


def test_folders_that_are_neither_run_nor_export_are_not_evaluated(tmp_path):
    with pytest.raises(SpecError, match=r"neither .* Found: nothing"):
        evaluate(tmp_path)
    with pytest.raises(InputMissingError, match="no such folder"):
        evaluate(tmp_path / "none")
    with sealed_folder.create(tmp_path / "other", {"kresnet_export": 2}):
        pass
    with pytest.raises(BadDataError, match="not an export of this version"):
        evaluate(tmp_path / "other")
    (tmp_path / "saved_model.pb").write_bytes(b"from elsewhere")
    with pytest.raises(BadDataError, match="not exported by kresnet"):
        evaluate(tmp_path)
    (tmp_path / "spec.yaml").write_text("a run that lost its run.json")
    with pytest.raises(InputMissingError, match=r"it has no run\.json"):
        evaluate(tmp_path)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_run_without_a_checkpoint_has_nothing_to_use(
    digits_run, tmp_path, use
):
    run = shutil.copytree(
        digits_run, tmp_path / "run", ignore=lambda *_: ["checkpoints"]
    )

    with pytest.raises(InputMissingError, match="has no checkpoint to use"):
        use(run)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """A run with checkpoints of iterations 45 and 60."""
    return kresnet.train(
        "digits",
        tmp_path_factory.mktemp("long") / "run",
        overrides=[
            "training.iterations=60",
            "training.learning_rate.at=[30,45]",
            "training.evaluate_every=60",
        ],
        checkpoint_every=45,
    )


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_damaged_newest_checkpoint_is_not_used_and_a_chosen_one_is(
    long_run, tmp_path, use
):
    """Who only reads a run changes nothing in it."""
    folder = shutil.copytree(long_run, tmp_path / "run")
    (folder / "checkpoints/00000060/manifest.json").write_text("[" * 100_000)
    before = sorted(folder.rglob("*"))

    for chosen, error, said in (
        ({}, BadDataError, "newest checkpoint is damaged: .*--checkpoint 45"),
        ({"checkpoint": 60}, BadDataError, "this checkpoint is damaged"),
        ({"checkpoint": 50}, InputMissingError, "of iteration 50.* 45, 60"),
    ):
        with pytest.raises(error, match=said):
            use(folder, **chosen)

    assert sorted(folder.rglob("*")) == before
    use(folder, checkpoint=45)
    assert set(before) <= set(folder.rglob("*"))


def test_a_chosen_checkpoint_is_the_one_that_is_measured(long_run, tmp_path):
    """Its file is another one than that of the last, which a report shows."""
    folder = shutil.copytree(long_run, tmp_path / "run")
    last = evaluate(folder)

    found = evaluate(folder, checkpoint=45)

    at = {"iteration": 45}
    assert found.protocol == last.protocol.model_copy(update=at)
    assert found.loss != last.loss
    assert sorted(path.name for path in folder.glob("evaluation-*")) == [
        "evaluation-test-moving-averages-45.json",
        "evaluation-test-moving-averages.json",
    ]
    rows, _ = measure_run(
        Responses(), folder, images=10, checkpoint=45
    ).values()
    assert rows[0]["iteration"] == 45
    with pytest.raises(
        ValueError, match="`checkpoint` and `stages` go with a folder"
    ):
        evaluate(open_trained(folder), checkpoint=45)
    with pytest.raises(SpecError, match="--initial: goes without --checkpoint"):
        measure_run(Responses(), folder, initial=True, checkpoint=45)


def test_the_commands_take_a_checkpoint_too_but_not_of_an_export(
    long_run, exported, tmp_path, capsys
):
    run = shutil.copytree(long_run, tmp_path / "run")
    options = ["--checkpoint=45", f"--out={tmp_path / 'out'}"]
    assert run_command(app, ["evaluate", str(run), *options]) == 0
    assert "45" in capsys.readouterr().out
    assert run_command(app, ["evaluate", str(exported), *options]) == 2
    assert "--checkpoint: is of a run" in capsys.readouterr().err


def test_an_evaluation_is_not_written_to_another_run(
    long_run, run, exported, tmp_path
):
    """A report would take it for that run's."""
    (tmp_path / "link").symlink_to(run.folder)
    before = sorted(run.folder.iterdir())

    for network in (long_run, exported):
        for out in (run.folder, tmp_path / "link"):
            with pytest.raises(SpecError, match="--out: must not be another"):
                evaluate(network, out=out)

    assert sorted(run.folder.iterdir()) == before
    evaluate(run, out=tmp_path / "link")  # it is its own


def test_what_cannot_be_written_is_shown_all_the_same(run, capsys):
    """As root one may write anywhere: a folder is in the way."""
    (run.folder / "evaluation-test-moving-averages.json").mkdir()
    (run.folder / "responses").mkdir()

    assert run_command(app, ["evaluate", str(run.folder)]) == 73
    out, err = capsys.readouterr()
    assert "top-1 error" in out
    assert "cannot be written: Is a directory; name another" in err
    assert "--out" in err

    out_option = f"--out={run.folder / 'responses'}"
    assert run_command(app, ["responses", str(run.folder), out_option]) == 73
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_run_that_is_not_what_was_trained_is_not_used(
    run, long_run, tmp_path, use
):
    """Its record, its spec or its checkpoint was changed afterwards."""
    path = run.folder / "run.json"
    text = path.read_text()
    info = json.loads(text)
    del info["identity"]["data"]
    path.write_text(json.dumps(info))
    with pytest.raises(BadDataError, match=r"run\.json: identity\.data: must"):
        use(run.folder)
    path.write_text(text)
    spec = run.folder / "spec.yaml"
    spec.write_text(
        spec.read_text().replace("epsilon: 1.0e-05", "epsilon: 0.5")
    )
    with pytest.raises(BadDataError, match=r"spec\.yaml: was changed since"):
        use(run.folder)
    shutil.copy(long_run / "spec.yaml", spec)
    shutil.rmtree(run.folder / "checkpoints")

    shutil.copytree(long_run, run.folder, dirs_exist_ok=True)
    other = json.loads((long_run / "run.json").read_text())
    other["identity"]["seed"] = 1
    path.write_text(json.dumps(other))
    with pytest.raises(BadDataError, match=r"00000060: belongs to another run"):
        use(run.folder)
