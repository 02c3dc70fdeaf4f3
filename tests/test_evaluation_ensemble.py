"""Ensembles against NumPy, and against their members."""

import dataclasses
import json

import numpy as np
import pytest
import small_network

import kresnet
from kresnet.cli import app
from kresnet.cli import run as run_command
from kresnet.data import load_dataset
from kresnet.errors import SpecError
from kresnet.evaluation import View, evaluate, evaluate_ensemble
from kresnet.trained import open_trained

BRIEF = (
    "training.iterations=20",
    "training.learning_rate.at=[10,15]",
    "training.evaluate_every=20",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three runs on digits: two seeds of a small net, and another split."""
    home = tmp_path_factory.mktemp("members")
    common = [*small_network.OVERRIDES, *BRIEF]
    for name, seed, more in (
        ("a", 0, []),
        ("b", 1, []),
        ("c", 0, ["data.validation=37"]),
    ):
        kresnet.train(
            "digits", home / name, overrides=[*common, *more], seed=seed
        )
    return home


def measured(found):
    return found.model_dump(exclude={"members", "identity", "protocol"})


def test_an_ensemble_of_one_is_the_one(runs):
    alone = evaluate(runs / "a")

    found = evaluate_ensemble([runs / "a"])

    assert found.loss == pytest.approx(alone.loss, rel=1e-6)
    got, want = measured(found), measured(alone)
    assert got | {"loss": 0} == want | {"loss": 0}
    (member,) = found.members
    own = member.model_dump(exclude={"name"})
    assert own == alone.model_dump()
    assert member.name == "digits"


def test_an_ensemble_has_the_mean_of_the_probabilities(
    runs, digits_run, exported
):
    """Of nets of different depth, and an export counts as any other."""
    folders = [runs / "a", runs / "b", exported]
    data = load_dataset("digits")
    total = 0.0
    for folder in (runs / "a", runs / "b", digits_run):
        model = open_trained(folder).inference_model()
        logits = model.predict(data.test_images, verbose=0).astype("float64")
        powers = np.exp(logits - logits.max(1, keepdims=True))
        total = total + powers / powers.sum(1, keepdims=True) / 3

    found = evaluate_ensemble(folders)

    order = np.argsort(-total, axis=1)
    labels = data.test_labels
    own = total[np.arange(len(labels)), labels]
    assert found.loss == pytest.approx(-np.log(own).mean(), rel=1e-5)
    assert found.error == pytest.approx(100 * (order[:, 0] != labels).mean())
    among = (order[:, :5] == labels[:, None]).any(1)
    assert found.top5_error == pytest.approx(100 * (1 - among.mean()))
    for folder, member in zip(folders, found.members, strict=True):
        assert member.error == evaluate(folder).error


def test_the_members_see_what_they_are_told_to(runs):
    found = evaluate_ensemble(
        [runs / "a", runs / "b"],
        split="validation",
        batch_norm="re-estimated",
        view=View(flip=True),
    )

    for member in found.members:
        protocol = member.protocol
        assert (protocol.split, protocol.images) == ("validation", 137)
        assert "averages over" in protocol.batch_norm_statistics
        assert protocol.mirrored


def test_the_command_shows_every_member_and_writes_where_it_is_told(
    runs, tmp_path, capsys
):
    words = ["evaluate", str(runs / "a"), str(runs / "b"), "--ensemble"]

    assert run_command(app, words) == 0
    out = capsys.readouterr().out
    assert "an ensemble has no folder; name a folder with --out" in out
    assert run_command(app, [*words, f"--out={tmp_path}"]) == 0

    out = capsys.readouterr().out
    for seed in (0, 1):
        assert f"digits, seed {seed}" in out
    name = "ensemble-test-moving-averages"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.json",
        f"{name}.png",
    ]
    content = json.loads((tmp_path / f"{name}.json").read_text())
    errors = [each["error"] for each in content["members"]]
    assert errors == [evaluate(runs / x).error for x in "ab"]
    assert f"{content['error']:.2f} %" in out


def test_members_of_other_images_or_classes_are_refused(
    runs, digits_run, tmp_path, monkeypatch
):
    with pytest.raises(SpecError, match=r"same images: .* holds out 137"):
        evaluate_ensemble([runs / "a", runs / "c"], split="validation")
    assert evaluate_ensemble([runs / "a", runs / "c"]).members

    one, other = open_trained(runs / "a"), open_trained(runs / "b")
    data = other.data()
    for change, said in (
        ({"fingerprint": "0" * 64}, "same data: .* with other images"),
        ({"class_names": tuple("abcdefghij")}, r"same classes: .*\(0 …\)"),
    ):
        found = dataclasses.replace(data, **change)
        monkeypatch.setitem(vars(other), "data", lambda _, found=found: found)
        with pytest.raises(SpecError, match=said):
            evaluate_ensemble([one, other], out=tmp_path)
    assert list(tmp_path.iterdir()) == []


REFUSED = {
    "two without the word": (["a", "b"], "takes one folder, or several with"),
    "a checkpoint": (
        ["a", "b", "--ensemble", "--checkpoint=5"],
        "--checkpoint: goes without --ensemble",
    ),
    "one twice": (["a", "a", "--ensemble"], "must have different members"),
    "into a run": (
        ["a", "b", "--ensemble", "--out=c"],
        "--out: must not be another run",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_ensemble_is_refused(case, runs, monkeypatch, capsys):
    words, message = REFUSED[case]
    monkeypatch.chdir(runs)
    before = sorted(runs.rglob("*"))

    assert run_command(app, ["evaluate", *words]) == 2

    assert message in " ".join(capsys.readouterr().err.split())
    assert sorted(runs.rglob("*")) == before


def test_a_link_to_a_member_is_the_member(runs, tmp_path):
    (tmp_path / "link").symlink_to(runs / "a")

    with pytest.raises(SpecError, match="must have different members"):
        evaluate_ensemble([runs / "a", tmp_path / "link"])


def test_an_ensemble_needs_a_member(tmp_path):
    with pytest.raises(SpecError, match="needs at least one network"):
        evaluate_ensemble([], out=tmp_path)


def test_a_member_that_cannot_be_tested_so_is_refused_before_any_work(
    runs, exported, monkeypatch
):
    """The others could take hours."""

    def work(pixels):
        raise AssertionError("worked")

    one = open_trained(runs / "a")
    monkeypatch.setitem(vars(one), "logits", work)
    for options in (
        {"batch_norm": "re-estimated"},
        {"view": View(flip=True)},
    ):
        with pytest.raises(SpecError, match="needs the layers of a run"):
            evaluate_ensemble([one, exported], **options)


def test_the_result_of_other_networks_is_not_replaced(
    runs, exported, monkeypatch, tmp_path, capsys
):
    """The same networks, in any order, replace their own."""
    monkeypatch.chdir(runs)
    for words, code in (
        (["a", "b", "--ensemble"], 0),
        (["b", "a", "--ensemble"], 0),
        (["a", "--ensemble"], 2),
        (["a", str(exported), "--ensemble"], 2),
        (["a"], 0),
        (["a"], 0),
        (["b"], 2),
        ([str(exported)], 2),
    ):
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}

        assert run_command(app, ["evaluate", *words, f"--out={tmp_path}"]) == (
            code
        )

        said = capsys.readouterr().err
        if code:
            assert "other networks; name" in said or "another network;" in said
            after = {path: path.read_bytes() for path in tmp_path.iterdir()}
            assert after == before
