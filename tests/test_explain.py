"""What the paper says and what a spec does, point by point."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kresnet.spec
from kresnet.cli import app
from kresnet.cli_frame import run
from kresnet.explain import (
    DEVIATES,
    EQUAL,
    EQUIVALENT,
    GRADES,
    as_text,
    explain,
    paper_network,
    reasons_against,
)
from kresnet.explain.other_fields import COVERED, other_points
from kresnet.spec import TrainingSpec, load_spec, shipped_specs

RESULT = Path(__file__).parent.parent / "results" / "resnet20-1500" / "seed0"
CIFAR10 = [name for name in shipped_specs() if name != "digits"]
TESTING = "batch norm, statistics in testing"

# What shipped specs do otherwise than the paper, the statistics of batch norm
# in testing aside. The other specs do nothing.
DEVIATIONS = {
    "plain110": {"warm-up"},
    "resnet20-b": {"shortcuts"},
    "resnet20-c": {"shortcuts", "counts"},
    "resnet56-b": {"shortcuts", "counts"},
    "resnet56-c": {"shortcuts", "counts"},
    "digits": {
        "architecture",
        "counts",
        "data set",
        "split",
        "augmentation",
        "iterations",
        "learning rate",
        "weight decay",
    },
}


def grades(spec, info=None):
    return {point.topic: point.grade for point in explain(spec, info)}


def deviations(spec):
    return {t for t, grade in grades(spec).items() if grade == DEVIATES}


# Arms of preprocessing, by the ending of their names.
ARMS = {
    "channel-mean": {"preprocessing"},
    "channel-std": {"preprocessing"},
    "mean255": {"preprocessing"},
    "none": {"preprocessing"},
    "zca": {"preprocessing"},
    "fancy-pca": {"preprocessing", "augmentation"},
}


@pytest.mark.parametrize("name", shipped_specs())
def test_the_deviations_of_every_shipped_spec_are_these(name):
    arm = ARMS.get(name.partition("-")[2], set())

    found = deviations(load_spec(name)) - {TESTING}

    assert found == DEVIATIONS.get(name, arm)


@pytest.mark.parametrize("name", shipped_specs())
def test_every_point_cites_the_paper_and_has_a_grade(name):
    points = explain(load_spec(name))

    assert len({point.topic for point in points}) == len(points)
    for point in points:
        assert point.grade in GRADES
        assert point.source.startswith(("section", "release notes"))
        assert point.paper
        assert point.here


def test_what_the_paper_leaves_open_is_never_called_equal():
    for point in explain(load_spec("resnet20")):
        if "not stated" in point.paper:
            assert point.grade == EQUIVALENT, point.topic


@pytest.mark.parametrize(
    ("change", "topic"),
    [
        ("model.stages[0].blocks=4", "architecture"),
        ("model.stem.kernel=5", "architecture"),
        ("model.batch_norm.images_per_statistic=null", "batch norm, stat"),
        ("model.batch_norm.images_per_statistic=32", "batch norm, stat"),
        ("model.batch_norm.epsilon=1e-3", "batch norm, ε"),
        ("model.batch_norm.momentum=0.99", "batch norm, ε"),
        ("data.validation=10000", "split"),
        ("data.transforms=[]", "preprocessing"),
        ("data.transforms[1].padding=2", "augmentation"),
        ("training.batch_size=64", "batch"),
        ("training.iterations=63999", "iterations"),
        ("training.learning_rate.start=0.05", "learning rate"),
        ("training.learning_rate.at=[32000]", "learning rate"),
        ("training.momentum=0.8", "momentum"),
        ("training.weight_decay=5e-4", "weight decay"),
        ("training.warm_up.limit=4000", "warm-up"),
    ],
)
def test_each_change_of_the_recipe_is_a_deviation(change, topic):
    recipe = load_spec("resnet20")
    changed = load_spec("resnet20", [change])

    new = deviations(changed) - deviations(recipe)

    assert any(name.startswith(topic) for name in new), new


@pytest.mark.parametrize(
    ("change", "topic"),
    [
        ("data.validation=0", "split"),
        ("training.decay_batch_norm=true", "weight decay, of what"),
        ("training.decay_biases=true", "weight decay, of what"),
    ],
)
def test_a_choice_that_the_paper_leaves_open_is_no_deviation(change, topic):
    spec = load_spec("resnet20", [change])

    assert grades(spec)[topic] == EQUIVALENT
    assert deviations(spec) == {TESTING}


def test_a_batch_of_64_in_one_group_has_the_paper_s_statistics():
    """64 images share a statistic, as on one of the two GPUs."""
    spec = load_spec(
        "resnet20",
        [
            "training.batch_size=64",
            "model.batch_norm.images_per_statistic=null",
        ],
    )

    assert (
        grades(spec)["batch norm, statistics in training"],
        grades(spec)["batch"],
    ) == (EQUIVALENT, DEVIATES)


def test_the_110_layers_need_their_warm_up_and_1202_may_have_it():
    """Section 4.2: 0.01 until the error is below 80 %, on 110 layers."""
    without = ["training.warm_up=null"]
    half = ["training.warm_up.learning_rate=0.05"]

    assert grades(load_spec("resnet110"))["warm-up"] == EQUIVALENT
    assert grades(load_spec("resnet110", without))["warm-up"] == DEVIATES
    assert grades(load_spec("resnet110", half))["warm-up"] == DEVIATES
    assert grades(load_spec("resnet1202", without))["warm-up"] == EQUIVALENT
    assert grades(load_spec("resnet56"))["warm-up"] == EQUAL


@pytest.mark.parametrize("name", CIFAR10)
def test_the_networks_of_the_paper_are_recognised_whatever_their_name(name):
    spec = load_spec(name, ["name=mine"])

    network, _, variant = name.partition("-")
    wanted = None if variant in ("b", "c") else network
    assert paper_network(spec.model) == wanted


def test_a_network_between_those_of_the_paper_is_none_of_them():
    four = [f"model.stages[{i}].blocks=4" for i in range(3)]
    spec = load_spec("resnet20", four)

    assert paper_network(spec.model) is None
    assert deviations(spec) == {"counts", TESTING}


class Clipped(TrainingSpec):
    """A training with the fields of a later version."""

    gradient_clip: float | None = None
    cosine: bool = False


def with_training(spec, **changes):
    fields = spec.training.model_dump() | changes
    training = Clipped.model_validate(fields)
    return spec.model_copy(update={"training": training})


def test_a_clipped_gradient_is_a_deviation():
    spec = load_spec("resnet20")

    assert "gradient clipping" not in deviations(with_training(spec))
    clipped = with_training(spec, gradient_clip=1.0)
    assert "gradient clipping" in deviations(clipped)
    assert "gradient clipping: to a norm of 1" in reasons_against(
        explain(clipped)
    )


def test_a_field_that_no_point_speaks_of_is_a_deviation(monkeypatch):
    monkeypatch.setitem(COVERED, "Clipped", COVERED["TrainingSpec"])
    spec = load_spec("resnet20")

    assert not list(other_points(with_training(spec)))
    (point,) = other_points(with_training(spec, cosine=True))
    assert (point.topic, point.here, point.grade) == (
        "training.cosine",
        "True",
        DEVIATES,
    )


@pytest.mark.parametrize(
    ("layer", "topic"),
    [
        ("rescale", "preprocessing"),
        ("zca_whitening", "preprocessing"),
        ("channel_mean", "preprocessing"),
        ("channel_standardize", "preprocessing"),
        ("fancy_pca", "augmentation"),
    ],
)
def test_transforms_that_are_not_the_paper_s_are_deviations(layer, topic):
    spec = load_spec("resnet20")
    other = spec.data.transforms[0].model_copy(update={"layer": layer})
    transforms = (*spec.data.transforms, other)
    data = spec.data.model_copy(update={"transforms": transforms})

    assert topic in deviations(spec.model_copy(update={"data": data}))


@pytest.mark.parametrize("part", COVERED)
def test_the_fields_that_points_speak_of_exist(part):
    fields = set(getattr(kresnet.spec, part).model_fields)

    # gradient_clip is younger than some versions of the spec.
    assert set(COVERED[part].split()) - fields <= {"gradient_clip"}


def test_a_run_adds_how_far_it_came_and_on_what(capsys):
    assert run(app, ["explain", str(RESULT)]) == 0

    out = capsys.readouterr().out
    assert "finished, at iteration 1,500 of 1,500" in out
    assert "tensorflow 2.21.0 on CPU" in out


def test_a_run_that_ended_early_deviates(tmp_path):
    folder = shutil.copytree(RESULT, tmp_path / "run")
    info = json.loads((folder / "run.json").read_text("utf-8"))
    info |= {"status": "stopped", "iteration": 600}
    spec = load_spec(folder / "spec.yaml")

    assert grades(spec, info)["the run's end"] == DEVIATES
    assert "the run's end: stopped, at iteration 600 of 1,500" in (
        reasons_against(explain(spec, info))
    )


def test_json_has_every_point(capsys):
    assert run(app, ["explain", "resnet56", "--json"]) == 0

    content = json.loads(capsys.readouterr().out)
    points = explain(load_spec("resnet56"))
    assert content["name"] == "resnet56"
    assert [p["topic"] for p in content["points"]] == [p.topic for p in points]
    assert content["points"][0]["grade"] == EQUAL


def test_the_text_has_every_point_within_the_width():
    points = explain(load_spec("resnet110"))

    lines = as_text(points, 80).splitlines()

    assert max(map(len, lines)) <= 80
    for point in points:
        assert f"{point.topic}: {point.grade}" in lines
    counted = {grade: int(n) for n, grade in map(str.split, _last(lines))}
    for grade, number in counted.items():
        assert number == sum(point.grade == grade for point in points)


def _last(lines):
    return lines[-1].split(", ")


def test_overrides_change_a_spec_but_not_a_run(capsys):
    change = ["--set", "training.iterations=50000"]

    assert run(app, ["explain", "resnet20", *change]) == 0
    assert "iterations: deviates" in capsys.readouterr().out
    assert run(app, ["explain", str(RESULT), *change]) == 2
    assert "is a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 65),
        ("[]", 65),
        ('{"status": "finished"}', 65),
        (None, 66),
    ],
)
def test_a_folder_that_is_no_run_is_said(tmp_path, capsys, text, code):
    if text is not None:
        (tmp_path / "run.json").write_text(text)

    assert run(app, ["explain", str(tmp_path)]) == code
    assert capsys.readouterr().err.startswith(str(tmp_path))


@pytest.mark.parametrize("command", ["explain resnet20", "diff digits plain20"])
def test_these_commands_start_without_keras(command):
    program = (
        "import sys; from kresnet.cli import app; from kresnet.cli_frame import"
        f" run; code = run(app, {command.split()!r}); heavy = {{'keras',"
        " 'tensorflow', 'jax', 'numpy', 'matplotlib', 'sklearn'}; "
        "sys.exit(code or ', '.join(heavy & set(sys.modules)) or 0)"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )

    assert (ran.returncode, ran.stderr) == (0, "")
