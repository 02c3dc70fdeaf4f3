"""What differs between two specs or runs."""

import json
import re
import shutil
from pathlib import Path

import pytest

from kresnet.cli import app, run
from kresnet.spec import differing_fields, load_spec

RESULT = Path(__file__).parent.parent / "results" / "resnet20-1500" / "seed0"


@pytest.fixture
def diff(capsys):
    def lines_of(a, b):
        assert run(app, ["diff", str(a), str(b)]) == 0
        return capsys.readouterr().out.splitlines()

    return lines_of


def test_fields_are_named_and_the_censuses_stand_side_by_side(diff):
    lines = diff("plain20", "resnet20-c")

    for text in differing_fields(load_spec("plain20"), load_spec("resnet20-c")):
        assert text in lines
    total = next(line for line in lines if " total " in line)
    assert re.findall(r"[\d,]{7,}", total) == [
        "269,722",
        "40,551,040",
        "283,962",
        "42,648,192",
    ]


def test_rows_of_networks_of_different_depth_stand_by_their_names(diff):
    lines = diff("plain20", "plain32")

    rows = [line for line in lines if "|" in line][1:]
    names = [line.split("|")[0].replace("≠", "").strip() for line in rows]
    assert names == [
        "conv1",
        *(f"conv{i}_{j}" for i in (2, 3, 4) for j in range(1, 6)),
        "pool",
        "fc",
        "total",
    ]
    marked = [
        name for name, line in zip(names, rows, strict=True) if "≠" in line
    ]
    assert marked == [
        *(f"conv{i}_{j}" for i in (2, 3, 4) for j in (4, 5)),
        "total",
    ]


def test_a_spec_does_not_differ_from_itself(diff):
    lines = diff("resnet110", "resnet110")

    assert "the specs are the same" in lines
    assert not any("≠" in line for line in lines)


def test_two_runs_differ_by_seed_result_and_versions_too(diff, tmp_path):
    other = shutil.copytree(RESULT, tmp_path / "other")
    info = json.loads((other / "run.json").read_text("utf-8"))
    info["identity"]["seed"] = 3
    info["test_error"] = 27.5
    info["versions"]["keras"] = "3.16.0"
    (other / "run.json").write_text(json.dumps(info), "utf-8")

    lines = diff(RESULT, other)

    assert [line for line in lines if line.startswith("run.")] == [
        "run.seed: 0 -> 3",
        "run.test_error: 28.07 -> 27.5",
        "run.versions.keras: 3.15.1 -> 3.16.0",
    ]
    assert "the runs are the same" in diff(RESULT, RESULT)


def test_two_runs_of_other_precision_differ_by_it(diff, tmp_path):
    other = shutil.copytree(RESULT, tmp_path / "other")
    info = json.loads((other / "run.json").read_text("utf-8"))
    for precision, said in (
        ("float32", []),
        ("bfloat16", ["run.precision: float32 -> bfloat16"]),
    ):
        info["identity"]["precision"] = precision
        (other / "run.json").write_text(json.dumps(info), "utf-8")
        lines = diff(RESULT, other)
        assert [line for line in lines if line.startswith("run.")] == said


def test_a_spec_stands_beside_a_run(diff):
    lines = diff("resnet20", RESULT)

    assert "training.iterations: 64000 -> 1500" in lines
    assert not any(line.startswith("run.") for line in lines)
