"""What a run adds to the points of its spec, and the command."""

import json
from pathlib import Path

import pytest

from kresnet.cli import app, run
from kresnet.explain import (
    DEVIATES,
    EQUAL,
    as_text,
    explain,
    reasons_against,
)
from kresnet.records.run import read_recorded_run
from kresnet.spec import load_spec

RESULT = Path(__file__).parent.parent / "results" / "resnet20-1500" / "seed0"


def grade_of(topic, spec, record):
    (grade,) = (p.grade for p in explain(spec, record) if p.topic == topic)
    return grade


def test_a_run_adds_how_far_it_came_and_on_what(capsys):
    assert run(app, ["explain", str(RESULT)]) == 0

    out = capsys.readouterr().out
    assert "finished, at iteration 1,500 of 1,500" in out
    assert "tensorflow 2.21.0 on CPU" in out


def test_a_run_that_ended_early_deviates():
    run = read_recorded_run(RESULT)
    early = {"status": "stopped", "iteration": 600}
    record = run.record.model_copy(update=early)

    assert grade_of("the run's end", run.spec, record) == DEVIATES
    assert "the run's end: stopped, at iteration 600 of 1,500" in (
        reasons_against(explain(run.spec, record))
    )


@pytest.mark.parametrize(
    ("precision", "here", "grade"),
    [
        ("float32", "float32", EQUAL),
        ("bfloat16", "convolutions in bfloat16", DEVIATES),
        ("float64", "float64", DEVIATES),
    ],
)
def test_the_paper_s_precision_is_float32(precision, here, grade):
    """Caffe computed in it."""
    spec = load_spec("resnet20")
    whole = read_recorded_run(RESULT).record
    identity = whole.identity.model_copy(update={"precision": precision})
    record = whole.model_copy(
        update={"iteration": 64_000, "identity": identity}
    )

    (point,) = (p for p in explain(spec, record) if p.topic == "precision")

    assert (point.here, point.grade) == (here, grade)
    stands = [] if grade == EQUAL else [f"precision: {here}"]
    assert reasons_against(explain(spec, record)) == stands


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
def test_these_commands_start_without_keras(command, heavy_imports):
    found = heavy_imports(
        "from kresnet.cli import app; from kresnet.cli import run;"
        f" assert run(app, {command.split()!r}) == 0"
    )

    assert found == set()
