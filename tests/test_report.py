"""The report: one page about any number of runs."""

import csv
import dataclasses
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from kresnet.cli import app
from kresnet.cli_frame import run
from kresnet.errors import BadDataError, InputMissingError
from kresnet.evaluation import evaluate
from kresnet.reporting import write_report
from kresnet.reporting.average import mean_and_deviation
from kresnet.reporting.loss_curve import loss_curve, loss_curves
from kresnet.reporting.markup import Markup, element
from kresnet.reporting.metrics_file import read_metrics
from kresnet.reporting.paper_table import PAPER_TEST_ERROR, not_comparable
from kresnet.reporting.responses import read_responses, responses_figure
from kresnet.reporting.study import read_study
from kresnet.spec import dump_spec, load_spec

RESULT = Path(__file__).parent.parent / "results" / "resnet20-1500" / "seed0"
VOID = {"meta", "br"}
COLUMNS = (
    "iteration",
    "learning_rate",
    "training_loss",
    "training_error",
    "validation_loss",
    "validation_error",
)


class Page(HTMLParser):
    """Holds a page to the rules of HTML and collects what it shows."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.attributes = [], [], [], []
        self.tables, self.details = [], 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attributes):
        raise AssertionError(f"<{tag}/> is no HTML")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if {"th", "td"} & set(self.open):
            self.tables[-1][-1][-1] += text

    def table(self, column):
        """The rows, as mappings, of the first table with this column."""
        for header, *rows in self.tables:
            if column in header:
                return [dict(zip(header, row, strict=True)) for row in rows]
        raise AssertionError(f"no table has a column {column}")


def make_run(folder, spec, seed=0, **info):
    """A run folder as training leaves it, of numbers that a test chooses."""
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text(dump_spec(spec), "utf-8")
    content = json.loads((RESULT / "run.json").read_text("utf-8"))
    content |= {"iteration": spec.training.iterations, "seed": seed, **info}
    (folder / "run.json").write_text(json.dumps(content), "utf-8")
    shutil.copy(RESULT / "metrics.csv", folder)
    return folder


def page_of(*paths, out):
    page, _ = write_report(paths, out)
    return Page(page.read_text("utf-8"))


@pytest.fixture(scope="module")
def study(tmp_path_factory, digits_run):
    """Three seeds of resnet20, a diverged run, and a real run on digits."""
    folder = tmp_path_factory.mktemp("study")
    spec = load_spec("resnet20")
    for seed, error in enumerate([8.5, 9.25, 8.75]):
        best = {
            "iteration": 60_000,
            "validation_error": error - 1,
            "test_error": error + 0.5,
        }
        make_run(
            folder / f"resnet20/seed{seed}",
            spec,
            seed,
            test_error=error,
            best_validation=best,
        )
    make_run(
        folder / "resnet20/seed9",
        spec,
        9,
        status="diverged",
        iteration=700,
        message="loss is not finite",
        test_error=None,
    )
    digits = shutil.copytree(digits_run, folder / "digits")
    evaluate(digits)
    (digits / "responses.csv").write_text(
        "iteration,layer,std\n30,conv1,9\n60,conv1,1.5\n60,conv2_1_1,0.5\n"
        "60,conv2_1_2,2.5\n"
    )
    return folder


@pytest.fixture(scope="module")
def out(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    write_report([study], folder)
    return folder


@pytest.fixture(scope="module")
def page(out):
    return Page((out / "index.html").read_text("utf-8"))


def test_errors_are_means_with_the_standard_deviation_of_a_sample(page):
    rows = {row["network"]: row for row in page.table("n")}

    errors = np.array([8.5, 9.25, 8.75])
    mean, deviation = errors.mean(), errors.std(ddof=1)
    row = rows["resnet20"]
    assert row["n"] == "3"
    assert row["test, last iteration"] == f"{mean:.2f} ± {deviation:.2f}"
    assert row["test, best by validation"] == (
        f"{mean + 0.5:.2f} ± {deviation:.2f}"
    )
    assert row["validation, best"] == f"{mean - 1:.2f} ± {deviation:.2f}"
    assert row["test, paper (table 6)"] == "8.75"
    assert (row["layers"], row["parameters"]) == ("20", "269,722")


@pytest.mark.parametrize("values", [[1.0, 2.0], [7.93, 6.43, 6.61, 6.2]])
def test_the_standard_deviation_is_numpy_s_with_n_minus_one(values):
    assert mean_and_deviation(values) == (
        f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"
    )


def test_of_one_run_there_is_no_deviation_and_of_none_no_mean():
    assert mean_and_deviation([28.07]) == "28.07"
    assert mean_and_deviation([]) == "–"


def test_the_paper_s_numbers_are_those_of_table_6():
    table = {20: "8.75", 32: "7.51", 44: "7.17", 56: "6.97", 1202: "7.93"}
    for layers, error in table.items():
        assert PAPER_TEST_ERROR[f"resnet{layers}"] == error
    assert PAPER_TEST_ERROR["resnet110"].startswith("6.43 ")
    assert "6.61 ± 0.16" in PAPER_TEST_ERROR["resnet110"]
    assert len(PAPER_TEST_ERROR) == 6


@pytest.mark.parametrize(
    ("spec", "reasons"),
    [
        (["resnet20"], []),
        (["resnet20", "data.validation=0", "name=mine"], []),
        (
            ["resnet20", "training.iterations=60000"],
            ["iterations: 60,000"],
        ),
        (
            ["resnet20", "data.validation=10000"],
            ["split: 40,000 to train on, 10,000 for validation"],
        ),
        (["resnet20", "training.batch_size=64"], ["batch: 64 images"]),
        (["plain56"], ["the paper gives no number"]),
        (["digits"], ["not a network of the paper"]),
        (
            ["resnet20-b"],
            [
                "shortcuts: basic B; the paper compares A, B and C on ImageNet"
                " (table 3)"
            ],
        ),
    ],
    ids=" ".join,
)
def test_why_a_result_may_not_stand_beside_the_paper(spec, reasons):
    name, *overrides = spec

    assert not_comparable(load_spec(name, overrides)) == reasons


def test_a_short_run_is_not_comparable_and_says_why(tmp_path):
    (row,) = page_of(RESULT, out=tmp_path).table("n")

    assert row["test, last iteration"] == "28.07 proxy"
    assert row["test, paper (table 6)"] == (
        "not comparable: iterations: 1,500; learning rate: 0.1, divided by 10"
        " at 750 and 1,125"
    )


def test_a_study_says_what_it_shows_and_that_it_is_a_proxy(tmp_path):
    run = make_run(tmp_path / "study/run", load_spec("resnet20"))
    summary = {"name": "colour", "shows": "A <loss>.", "budget": 0.03125}
    (run.parent / "study.json").write_text(json.dumps(summary), "utf-8")

    page, _ = write_report([run.parent], tmp_path / "proxy")
    (run.parent / "study.json").write_text("[]", "utf-8")
    none, _ = write_report([run.parent], tmp_path / "none")

    text = page.read_text("utf-8")
    assert "A &lt;loss&gt;." in text
    assert "3.125 % of the iterations" in text
    assert "Proxy" not in none.read_text("utf-8")


def test_a_diverged_run_is_listed_and_never_averaged(study, page):
    (row,) = page.table("why")

    assert row["run"] == str(study / "resnet20/seed9")
    assert row["why"] == (
        "diverged, at iteration 700 of 64,000: loss is not finite"
    )
    statuses = [row["status"] for row in page.table("status")]
    assert sorted(statuses) == ["diverged", *["finished"] * 4]


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ({"status": "running", "iteration": 60}, "running, at iteration 60"),
        ({"status": "stopped", "iteration": 60}, "stopped, at iteration 60"),
        ({"iteration": 63_000}, "finished, at iteration 63,000 of 64,000"),
        ({"test_error": None}, "has no test error"),
        ({"test_error": "8.75"}, "has no test error"),
        ({"test_error": float("nan")}, "has no test error"),
        ({"seed": 0}, "has the seed of"),
        ({"seed": "one"}, "not the record of a run"),
    ],
    ids=str,
)
def test_what_is_left_out_of_the_mean(tmp_path, info, why):
    spec = load_spec("resnet20")
    make_run(tmp_path / "a/seed0", spec, 0, test_error=8.0)
    make_run(tmp_path / "a/seed1", spec, **{"seed": 1, **info})

    found = read_study([tmp_path])

    (left_out,) = found.left_out
    assert why in left_out.reason
    (group,) = found.groups
    assert [run.info["test_error"] for run in group.finished] == [8.0]


def test_runs_on_other_data_or_of_another_spec_are_other_groups(tmp_path):
    spec = load_spec("resnet20")
    make_run(tmp_path / "a", spec, 0)
    make_run(tmp_path / "b", spec, 1, data_fingerprint="other")
    make_run(tmp_path / "c", load_spec("resnet20", ["data.validation=0"]), 2)

    groups = read_study([tmp_path]).groups

    assert [group.label for group in groups] == [
        "resnet20",
        "resnet20 (2)",
        "resnet20 (3)",
    ]
    assert groups[2].changes == ["data.validation: 5000 -> 0"]


def test_a_run_that_is_named_twice_counts_once(study):
    found = read_study([study, study / "digits", study / "resnet20"])

    assert sorted(len(group.finished) for group in found.groups) == [1, 3]
    assert len(found.left_out) == 1


def test_the_page_is_well_formed_and_ids_are_unique(page):
    assert len(page.ids) == len(set(page.ids)) > 100
    for name, value in page.attributes:
        for target in re.findall(r"url\(#(.+?)\)", value or ""):
            assert target in page.ids
        if name == "aria-labelledby" or (value or "").startswith("#"):
            assert {v.removeprefix("#") for v in value.split()} <= set(page.ids)


def test_the_page_asks_for_nothing_from_elsewhere(out, page):
    text = (out / "index.html").read_text("utf-8")

    rest = re.sub(r"data:image/png;base64,[\w+/=]+", "", text)
    assert not re.search(r"https?:|//\w|@import|<script|<link", rest)
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:image/png;base64,"))


def test_the_page_can_be_read_on_a_phone_in_the_dark_and_aloud(out, page):
    text = (out / "index.html").read_text("utf-8")
    attributes = set(page.attributes)

    assert ("lang", "en") in attributes
    assert ("content", "width=device-width, initial-scale=1") in attributes
    assert "prefers-color-scheme: dark" in text
    assert page.tags.count("table") == page.tags.count("caption") > 3
    assert page.tags.count("svg") == page.tags.count("figcaption")
    assert page.tags.count("svg") == page.tags.count("desc")
    assert ("role", "img") in attributes
    for header, *_ in page.tables:
        assert all(header)
    svg = "".join(re.findall(r"<svg.*?</svg>", text, re.S))
    assert "#000000" not in svg  # black would be invisible in the dark
    assert 'width="' not in re.sub(r"<image .*?>", "", svg.split("<g")[0])


def test_every_figure_is_there_as_png_and_svg(out):
    pictures = sorted(path.stem for path in out.glob("*.png"))

    assert [re.match(r"figure\d-([a-z]+)", p)[1] for p in pictures] == [
        "curves",
        "curves",
        "losses",
        "responses",
        "confusion",
    ]
    for stem in pictures:
        with Image.open(out / f"{stem}.png") as picture:
            assert min(picture.size) >= 500
        root = ElementTree.parse(out / f"{stem}.svg").getroot()
        assert root.tag.endswith("svg")
        assert any(node.tag.endswith("text") for node in root.iter())
    names = {*(f"{s}.{e}" for s in pictures for e in ("png", "svg"))}
    assert {path.name for path in out.iterdir()} == {*names, "index.html"}


def test_the_same_runs_give_the_same_page(study, out, tmp_path):
    again, _ = write_report([study], tmp_path)

    for path in out.glob("*.[hs]*"):
        assert (again.parent / path.name).read_bytes() == path.read_bytes()


def test_every_group_has_its_points_beside_the_paper(page):
    tables = [t for t in page.tables if "grade" in t[0]]

    assert len(tables) == 2
    for header, *rows in tables:
        grades = {row[0]: row[header.index("grade")] for row in rows}
        assert grades["dropout"] == "= equal"
        assert grades["batch norm, statistics in testing"] == "≠ deviates"


def test_evaluations_are_in_a_table(page):
    (row,) = page.table("top-1 error")

    assert (row["network"], row["split"], row["images"], row["n"]) == (
        "digits",
        "test",
        "360",
        "1",
    )


ATTACK = "</title></svg><script>alert(1)</script>\"'&<b>"


def test_what_comes_from_files_is_text_and_never_markup(tmp_path, digits_run):
    spec = load_spec("resnet20")
    make_run(tmp_path / "a", spec, 0, status=ATTACK, message=ATTACK)
    info = {
        "finished": ATTACK,
        "versions": {"backend": ATTACK, ATTACK: ATTACK},
        "hardware": {"devices": [ATTACK]},
    }
    make_run(tmp_path / "b <i>&\udcff", spec, 1, **info)
    digits = shutil.copytree(digits_run, tmp_path / "digits")
    found = dataclasses.asdict(evaluate(digits))
    found["class_names"] = [f"$\\frac{i}\0\ud800{ATTACK}" for i in range(10)]
    found["protocol"] |= {"split": ATTACK, "views": ATTACK}
    (digits / "evaluation-test-<b>.json").write_text(json.dumps(found))
    (digits / "responses.csv").write_text(f"iteration,layer,std\n1,{ATTACK},x")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "run.json").write_text("{")

    page = page_of(tmp_path, out=tmp_path / "out")

    allowed = {"script", "i", "b"} & set(page.tags)
    assert not allowed
    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "&lt;script&gt;" in text
    assert "not JSON" in text


@pytest.mark.parametrize("text", ["<b>", "&amp;", "\"'", "a > b"])
def test_elements_escape_text_and_attributes_but_no_markup(text):
    (node,) = ElementTree.fromstring(f"<x>{element('p', text, title=text)}</x>")

    assert (node.text, node.attrib) == (text, {"title": text})
    assert element("p", Markup("<br>")) == "<p><br></p>"


def test_responses_are_those_of_the_last_iteration(study):
    read = read_responses(study / "digits", "digits")

    assert read.iteration == 60
    assert read.layers == ("conv1", "conv2_1_1", "conv2_1_2")
    upper, lower = responses_figure([read], "").axes
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), [1.5, 0.5, 2.5])
    np.testing.assert_array_equal(lower.lines[0].get_ydata(), [2.5, 1.5, 0.5])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", InputMissingError),
        ("iteration,layer,std\n", InputMissingError),
        ("iteration,layer\n1,conv1\n", BadDataError),
        ("iteration,layer,std\n1,conv1,wide\n", BadDataError),
        ("iteration,layer,std\n1,conv1,-1\n", BadDataError),
        ("iteration,layer,std\n1,conv1,nan\n", BadDataError),
    ],
)
def test_a_wrong_table_of_responses_is_said(tmp_path, text, error):
    (tmp_path / "responses.csv").write_text(text)

    with pytest.raises(error, match=r"responses\.csv"):
        read_responses(tmp_path, "x")


def test_damaged_tables_are_named_and_the_rest_is_shown(tmp_path):
    good = make_run(tmp_path / "good", load_spec("resnet20"), 0)
    bad = make_run(tmp_path / "bad", load_spec("resnet20"), 1)
    (bad / "metrics.csv").write_text("iteration\nmany\n")
    (good / "evaluation-test-x.json").write_text("[]")
    (good / "evaluation-test-y.json").write_text(
        json.dumps(
            {
                "protocol": {"iteration": 64_000, "split": "test"},
                "error": 25.0,
                "top5_error": 0.0,
                "confusion": [[3, 1], [1, 3]],
                "class_names": ["cat", "dog"],
            }
        )
    )
    (good / "responses.csv").write_bytes(b"\xff\xfe")

    page = page_of(tmp_path, out=tmp_path / "out")

    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    for name in ("bad/metrics.csv", "evaluation-test-x.json", "responses.csv"):
        assert f"{name}: not " in text
    assert page.tags.count("svg") == 2  # a curve and a matrix
    (row,) = page.table("top-1 error")
    assert row["top-1 error"] == "25.00"


@pytest.mark.parametrize(
    "info",
    [
        {"hardware": None, "versions": {}},
        {"hardware": {"devices": 3}, "versions": {"backend": [1]}},
        {"hardware": [], "best_validation": 7, "finished": {}},
        {"best_validation": {"test_error": "low"}, "seconds": 10**400},
    ],
    ids=["absent", "of another kind", "lists", "no numbers"],
)
def test_odd_records_of_a_run_are_shown_as_far_as_they_go(tmp_path, info):
    folder = make_run(tmp_path / "a", load_spec("resnet20"), **info)

    (row,) = page_of(folder, out=tmp_path / "out").table("n")

    assert row["test, last iteration"] == "28.07"
    assert run(app, ["explain", str(folder)]) == 0
    assert run(app, ["diff", str(folder), str(RESULT)]) == 0


def losses_after(folder, iterations, losses):
    """A run of colour's kind whose validation losses are these."""
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for iteration, loss in zip(iterations, losses, strict=True):
            writer.writerow([iteration, 0.1, 0.5, 20, loss, 21])
    return folder


def test_the_validation_loss_is_drawn_from_the_first_drop_on(tmp_path):
    """The row of the drop itself was trained at the rate before it."""
    iterations = [31_000, 32_000, 33_000, 48_000, 64_000]
    spec = load_spec("resnet20-fancy-pca")
    rising = losses_after(
        make_run(tmp_path / "a", spec, 0),
        iterations,
        [0.9, 0.8, 0.3, 0.4, 0.5],
    )
    other = load_spec("resnet20-mean255")
    losses_after(
        make_run(tmp_path / "b", other, 0),
        iterations,
        [0.7, 0.6, 0.5, "", 0.45],
    )

    curve = loss_curve(spec, "rising", read_metrics(rising))
    page = page_of(tmp_path, out=tmp_path / "out")

    assert curve.losses == {33_000: 0.3, 48_000: 0.4, 64_000: 0.5}
    assert (curve.lowest, curve.last) == ((33_000, 0.3), 0.5)
    axes = loss_curves(spec, [curve], "").axes[0]
    np.testing.assert_allclose(
        axes.lines[0].get_data(), [[3.3, 4.8, 6.4], [0.3, 0.4, 0.5]]
    )
    drops = [x.get_xdata()[0] for x in axes.lines if len(x.get_xdata()) == 2]
    assert drops == [3.2, 4.8]
    assert axes.get_xlim() == (3.2, 6.4)
    assert page.tags.count("svg") == 2  # errors, and losses of both runs
    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert (
        "resnet20-fancy-pca: lowest 0.3000 at iteration 33,000, 0.5000 at the"
        " last; resnet20-mean255: lowest 0.4500 at iteration 64,000" in text
    )


@pytest.mark.parametrize(
    ("overrides", "iterations", "losses"),
    [
        (["training.learning_rate.at=[]"], [1_000, 2_000], [0.5, 0.4]),
        ([], [31_000, 32_000, 33_000], [0.5, 0.4, 0.3]),
        (["data.validation=0"], [33_000, 34_000], [None, None]),
        ([], [33_000, 34_000], [float("nan"), float("inf")]),
    ],
    ids=["no drop", "one row after it", "no validation", "not finite"],
)
def test_without_two_losses_after_a_drop_there_is_no_curve(
    overrides, iterations, losses
):
    metrics = {"iteration": iterations, "validation_loss": losses}

    assert loss_curve(load_spec("resnet20", overrides), "x", metrics) is None


def test_deepened_runs_are_a_group_apart_with_what_they_began_as(tmp_path):
    spec = load_spec("plain32")
    deepened = {
        "name": "plain20",
        "spec_digest": "d",
        "iteration": 64_000,
        "run_test_error": 9.5,
        "test_error": 9.5,
        "validation_error": 9.75,
    }
    make_run(tmp_path / "a", spec, 0, test_error=12.0)
    make_run(tmp_path / "b", spec, 1, test_error=10.25, deepened=deepened)
    make_run(tmp_path / "c", spec, 2, deepened={**deepened, "test_error": "x"})
    make_run(tmp_path / "d", spec, 3, test_error=14.0, deepened=[])

    page = page_of(tmp_path, out=tmp_path / "out")

    assert [row["n"] for row in page.table("n")] == ["2", "2"]
    assert page.table("made of") == [
        {
            "network": "plain32 (2)",
            "seed": seed,
            "made of": "plain20, iteration 64000",
            "its test error": "9.50",
            "iteration 0: test": start,
            "iteration 0: validation": "9.75",
            "last iteration: test": end,
            "iterations": "64,000",
        }
        for seed, start, end in (("1", "9.50", "10.25"), ("2", "–", "28.07"))
    ]


def test_gradient_norms_are_on_the_page(tmp_path):
    folder = make_run(tmp_path / "a", load_spec("resnet20"), 0)
    (folder / "gradients.csv").write_text("iteration,layer,norm\n0,conv1,3\n")

    page_of(tmp_path, out=tmp_path / "out")

    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "<h2>Gradient norms</h2><figure><svg" in text


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_runs_is_66(tmp_path, capsys, make):
    folder = tmp_path / "study"
    if make:
        folder.mkdir()

    assert run(app, ["report", str(folder), "--out", str(tmp_path / "o")]) == 66
    assert str(folder) in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_folder_that_cannot_be_written_is_73(tmp_path, capsys):
    (tmp_path / "file").touch()

    code = run(app, ["report", str(RESULT), "--out", str(tmp_path / "file")])

    assert code == 73
    assert "cannot be written" in capsys.readouterr().err


def test_the_command_says_what_it_averaged_and_what_not(
    study, tmp_path, capsys
):
    assert run(app, ["report", str(study), "--out", str(tmp_path)]) == 0

    out, err = capsys.readouterr()
    assert "networks: 2, runs averaged: 4" in out
    assert str(tmp_path / "index.html") in out
    assert err.startswith(f"{study}/resnet20/seed9: not averaged: diverged")


def test_a_report_needs_no_keras(tmp_path):
    program = (
        "import sys; from kresnet.reporting import write_report;"
        f" write_report([{str(RESULT)!r}], {str(tmp_path)!r}); sys.exit("
        "', '.join({'keras', 'tensorflow', 'jax'} & set(sys.modules)) or 0)"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )

    assert (ran.returncode, ran.stderr) == (0, "")
