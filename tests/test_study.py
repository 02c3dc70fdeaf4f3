"""Studies: read, scaled, run, interrupted, continued."""

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction

import pytest

from kresnet.errors import InputMissingError, SpecError
from kresnet.spec import load_spec
from kresnet.spec.shipped import STUDIES
from kresnet.study import load_study, parse_budget
from kresnet.study.budget import scaled
from kresnet.study.plan import plan

TWO = """
name: two
shows: that runs follow each other
runs:
  - name: explodes
    spec: digits
    seeds: [0]
    set:
      - "training.learning_rate={start: 100, divide_by: 10, at: []}"
      - training.weight_decay=1
      - training.iterations=300
  - name: learns
    spec: digits
    seeds: [3]
    gradients_every: 50
    set:
      - training.iterations=150
      - training.learning_rate.at=[100]
"""


@pytest.mark.parametrize("name", STUDIES.names())
def test_the_runs_of_every_shipped_study_can_be_planned(name, tmp_path):
    """In full, and as a proxy of a fifth."""
    study = load_study(name)
    assert study.name == name

    whole = plan(study, Fraction(1), tmp_path)
    part = plan(study, Fraction(1, 5), tmp_path)

    assert len(whole) == len(part) == sum(len(r.seeds) for r in study.runs)
    assert len({each.folder for each in whole}) == len(whole)


def test_the_depth_study_is_the_paper_s_table():
    """Five runs of each but plain-110, as the authors had of ResNet-110."""
    runs = {run.spec: len(run.seeds) for run in load_study("depth").runs}

    assert runs == {
        **{f"{k}{n}": 5 for k in ("plain", "resnet") for n in (20, 32, 44, 56)},
        "resnet110": 5,
        "plain110": 1,
    }


def test_a_budget_scales_iterations_drops_and_the_limit_of_a_warm_up():
    spec = load_spec("resnet110")

    part = scaled(spec, Fraction(5, 100)).training

    assert part.iterations == 3_200
    assert part.learning_rate.at == (1_600, 2_400)
    assert part.warm_up.limit == round(spec.training.warm_up.limit / 20)
    assert scaled(spec, Fraction(1)) == spec


def test_a_budget_that_leaves_nothing_is_refused():
    with pytest.raises(SpecError, match="leaves resnet20 no iteration"):
        scaled(load_spec("resnet20"), Fraction(1, 10**6))
    with pytest.raises(SpecError, match="fewer than the 50 batches"):
        scaled(load_spec("resnet110"), Fraction(1, 10**4))


@pytest.mark.parametrize(
    ("text", "budget"),
    [("5%", Fraction(1, 20)), ("0.05", Fraction(1, 20)), ("100%", Fraction(1))],
)
def test_a_budget_is_a_share(text, budget):
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    "text", ["0", "-5%", "101%", "2", "five", "1/0", "nan"]
)
def test_another_budget_is_refused(text):
    with pytest.raises(SpecError, match="--budget: must be a share"):
        parse_budget(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "x.yaml:1:1: expected a mapping"),
        ("name: x\nruns: []", "x.yaml:1:1: shows: missing; must be a text"),
        (
            "name: x\nshows: y\nruns:\n  - {spec: digits, seeds: [1, 1]}",
            "x.yaml:4:27: runs[0].seeds: must not repeat a seed",
        ),
        (
            "name: x\nshows: y\nruns:\n"
            "  - {spec: digits, seeds: [1]}\n  - {spec: digits, seeds: [2]}",
            "x.yaml:5:12: runs[1].spec: must differ from that of runs[0]",
        ),
        (
            "name: x\nshows: y\nruns:\n  - {spec: digits, seed: [1]}",
            "x.yaml:4:20: runs[0].seed: unknown field; did you mean seeds?",
        ),
        (
            "name: x\nshows: y\nruns:\n  - {spec: ../digits, seeds: [1]}",
            "x.yaml:4:12: runs[0].spec: must be 1 to 64 letters",
        ),
    ],
)
def test_mistakes_are_said_with_their_place(
    tmp_path, monkeypatch, text, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text(text)

    with pytest.raises(SpecError) as caught:
        load_study("x.yaml")

    assert message in str(caught.value)


def test_an_unknown_study_is_missing_and_the_nearest_named():
    with pytest.raises(InputMissingError, match="did you mean degradation"):
        load_study("degradatoin")


def start(folder):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "kresnet", "study"),
            *(str(folder / "two.yaml"), f"--out={folder / 'out'}"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def info(folder):
    return json.loads((folder / "run.json").read_text())


@pytest.mark.slow
def test_a_study_goes_on_after_a_divergence_and_an_interruption(tmp_path):
    (tmp_path / "two.yaml").write_text(TWO)
    out = tmp_path / "out"
    learns = out / "learns" / "seed3"

    first = start(tmp_path)
    while not (learns / "losses.csv").exists():
        if (learns / "gradients.csv").exists():
            break
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.01)
    first.send_signal(signal.SIGTERM)
    _, err = first.communicate()
    assert first.returncode == 75, err
    assert info(out / "explodes" / "seed0")["status"] == "diverged"
    assert info(learns)["status"] == "stopped"
    diverged = (out / "explodes" / "seed0" / "run.json").read_bytes()

    second = start(tmp_path)
    said, err = second.communicate()

    assert second.returncode == 0, err
    assert "continuing at iteration" in err
    assert info(learns)["status"] == "finished"
    assert (out / "explodes" / "seed0" / "run.json").read_bytes() == diverged
    assert (out / "report" / "index.html").exists()
    assert "report: " in said
    summary = json.loads((out / "study.json").read_text())
    assert summary["proxy"] is False


@pytest.mark.slow
def test_a_folder_of_another_study_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "two.yaml").write_text(
        TWO.replace("iterations=150", "iterations=20").replace("[100]", "[10]")
    )
    whole = start(tmp_path)
    whole.communicate()
    assert whole.returncode == 0
    (tmp_path / "two.yaml").write_text(TWO)

    other = start(tmp_path)
    _, err = other.communicate()

    assert other.returncode == 2
    assert "holds a run of another experiment" in err
