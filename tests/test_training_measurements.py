"""responses.csv and gradients.csv of whole runs."""

import csv
import json
import shutil

import numpy as np
import pytest

from kresnet.errors import SpecError
from kresnet.evaluation import responses
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
    again, ratios = responses(run, images=50)

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


def test_the_initial_responses_are_one(run):
    """What batch norm makes of any layer, on the images it saw."""
    found, ratios = responses(run, images=50, initial=True)

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
    with pytest.raises(SpecError, match="--responses-every: must be at least"):
        train("digits", tmp_path, responses_every=0)
