"""Which runs a report finds, and what it says of those that it does not."""

import json
import os

import pytest
from matplotlib.figure import Figure
from report_page import make_run, page_of

from kresnet.cli import app, run
from kresnet.errors import BadDataError
from kresnet.instruments import Gradients, Measured, Responses
from kresnet.records.metrics import read_metrics
from kresnet.reporting.groups import read_runs
from kresnet.reporting.report import read_measured
from kresnet.spec import load_spec


@pytest.fixture
def folder(tmp_path):
    """A study of one run, and another run elsewhere."""
    spec = load_spec("resnet20")
    make_run(tmp_path / "study/net/seed0", spec, 0, test_error=8.0)
    make_run(tmp_path / "elsewhere/run1", spec, 1, test_error=9.0)
    return tmp_path / "study"


def seeds(folder):
    (group,) = read_runs([folder]).groups
    return [run.seed for run in group.finished]


@pytest.mark.parametrize("link", ["net/seed1", "other"])
def test_a_link_to_a_run_or_to_a_folder_of_runs_is_followed(folder, link):
    target = folder.parent / "elsewhere"
    is_run = link.endswith("seed1")
    (folder / link).symlink_to(target / "run1" if is_run else target)

    assert seeds(folder) == [0, 1]
    assert read_runs([folder]).left_out == []


def test_a_run_with_several_names_counts_once_and_has_its_own(folder):
    (folder / "latest").symlink_to("net/seed0")
    (folder / "net/a").symlink_to("seed0")
    (folder / "net/circle").symlink_to("..")

    (group,) = read_runs([folder]).groups

    assert [run.folder for run in group.finished] == [folder / "net/seed0"]


def test_a_link_to_nothing_and_one_to_itself_are_listed(folder, capsys):
    (folder / "net/seed1").symlink_to("gone")
    (folder / "net/seed2").symlink_to("seed2")

    assert run(app, ["report", str(folder), f"--out={folder}/out"]) == 0

    said = capsys.readouterr().err
    for name in ("seed1", "seed2"):
        reason = "not averaged: a symbolic link to nothing"
        assert f"{folder}/net/{name}: {reason}" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_listed(folder):
    closed = folder / "net" / "seed1"
    closed.mkdir(mode=0)

    (left,) = read_runs([folder]).left_out

    assert (left.folder, "cannot be read" in left.reason) == (closed, True)


def test_a_run_that_a_link_leads_to_is_a_proxy_by_its_own_study(folder):
    summary = {"name": "x", "shows": "y", "budget": 0.05, "runs": [{}]}
    (folder / "study.json").write_text(json.dumps(summary))
    own = folder.parent / "mine"
    own.mkdir()
    (own / "seed0").symlink_to(folder / "net/seed0")

    assert read_runs([own]).groups[0].proxy


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ('{"name": "x", "shows": "y", "budget": "all"}', "budget: must be a n"),
    ],
)
def test_a_run_of_a_study_that_cannot_be_read_is_in_no_average(
    folder, text, why
):
    (folder / "study.json").write_text(text)

    reported = read_runs([folder, folder.parent / "elsewhere"])

    assert [len(group.finished) for group in reported.groups] == [1]
    (left,) = reported.left_out
    assert f"study.json: {why}" in left.reason


def spoiled(path):
    """One after the other, what may stand in the place of a table."""
    path.unlink()
    yield
    path.touch()
    yield
    path.write_text("iteration,training_error,validation_error\n")
    yield
    path.write_bytes(b"\xff\xfe\0")
    yield
    path.unlink()
    path.mkdir()
    yield
    path.rmdir()
    os.mkfifo(path)
    yield


def test_why_a_curve_is_not_shown_is_said(folder, capsys):
    path = folder / "net/seed0/metrics.csv"

    for _ in spoiled(path):
        assert run(app, ["report", str(folder), f"--out={folder}/out"]) == 0

        assert f"not shown: {path}: " in capsys.readouterr().err
        assert f"{path}: " in (folder / "out/index.html").read_text("utf-8")


def test_what_is_damaged_is_named_and_the_rest_is_on_the_page(folder, tmp_path):
    net = folder / "net/seed0"
    (net / "evaluation-test.json").write_text("[" * 100_000)
    (net / "responses.csv").write_text("")
    (net / "gradients.csv").write_text("iteration,layer,norm\n1,conv1,-1\n")

    (row,) = page_of(folder, out=tmp_path / "out").table("n")

    assert row["test, last iteration"] == "8.00"
    page = (tmp_path / "out/index.html").read_text("utf-8")
    for name in ("evaluation-test.json", "responses.csv", "gradients.csv"):
        assert f"{net / name}: " in page


def test_a_run_finished_before_its_last_iteration_is_not_averaged(folder):
    spec = load_spec("resnet20")
    make_run(folder / "net/seed1", spec, 1, iteration=10, test_error=8.0)

    (left_out,) = read_runs([folder]).left_out

    assert "run.json: iteration: must be 64000, the last" in left_out.reason
    assert seeds(folder) == [0]


def test_a_finished_run_that_lost_its_error_is_shown_alone(tmp_path):
    """It was a bug: its table beside the paper had no rows."""
    make_run(tmp_path / "run", load_spec("resnet20"), test_error=None)

    page = page_of(tmp_path / "run", out=tmp_path / "out")

    (row,) = page.table("why")
    assert row["why"] == "run.json has no test error"


METRICS = "iteration,training_error,validation_error\n"
ROWS = "10,50.0,60.0\n20,40.0,50.5\n"


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:-3],  # of 50.5 there is 50
        ROWS[:-1],
        ROWS + ROWS,
        "20,1,1\n10,1,1\n",
        "-5,1,1\n",
        "inf,1,1\n",
        "nan,1,1\n",
        "10,-1,1\n",
        "10,nan,1\n",
        "10,1,1e9\n",
        "10,1\n",
    ],
)
def test_a_cut_number_and_one_that_none_can_be_is_never_drawn(tmp_path, rows):
    (tmp_path / "metrics.csv").write_text(METRICS + ROWS)
    assert read_metrics(tmp_path)["validation_error"] == [60.0, 50.5]

    (tmp_path / "metrics.csv").write_text(METRICS + rows)
    with pytest.raises(BadDataError, match=r"metrics\.csv: not a table"):
        read_metrics(tmp_path)


def test_a_layer_has_one_number_at_an_iteration(tmp_path):
    path = tmp_path / "responses.csv"
    path.write_text("iteration,layer,std\n1,a,2\n1,b,3\n")
    found = read_measured(Responses(), tmp_path, "net")
    assert found.values == (1, {"a": 2, "b": 3})

    for rows in ("1,a,2\n1,a,3\n", "1,a,2\n1,b,3"):
        path.write_text("iteration,layer,std\n" + rows)
        with pytest.raises(BadDataError, match=r"responses\.csv: "):
            read_measured(Responses(), tmp_path, "net")


def test_gradients_that_are_all_zero_are_drawn(tmp_path):
    measured = Measured("a", {0: {"conv1": 0.0, "fc": 0.0}})

    figure = Gradients().figure([measured], "a")

    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "figure.png")  # whose warnings are errors
