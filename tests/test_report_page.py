"""The report: the page, as a browser reads it."""

import json
import re
import shutil
from xml.etree import ElementTree

import pytest
from report_page import make_evaluation, make_run, page_of

from kresnet.evaluation import evaluate
from kresnet.reporting import write_report
from kresnet.reporting.html import Markup, element
from kresnet.spec import load_spec


def test_a_study_says_what_it_shows_and_that_it_is_a_proxy(tmp_path):
    run = make_run(tmp_path / "study/run", load_spec("resnet20"))
    summary = {"name": "colour", "shows": "A <loss>.", "budget": 0.03125}
    summary["runs"] = [{}]
    (run.parent / "study.json").write_text(json.dumps(summary), "utf-8")

    page, _ = write_report([run.parent], tmp_path / "proxy")
    (run.parent / "study.json").write_text("[]", "utf-8")
    none, _ = write_report([run.parent], tmp_path / "none")

    text = page.read_text("utf-8")
    assert "A &lt;loss&gt;." in text
    assert "3.125 % of the iterations" in text
    assert "Proxy" not in none.read_text("utf-8")


def test_the_page_is_well_formed_and_ids_are_unique(report_page):
    assert len(report_page.ids) == len(set(report_page.ids)) > 100
    for name, value in report_page.attributes:
        for target in re.findall(r"url\(#(.+?)\)", value or ""):
            assert target in report_page.ids
        if name == "aria-labelledby" or (value or "").startswith("#"):
            assert {v.removeprefix("#") for v in value.split()} <= set(
                report_page.ids
            )


def test_the_page_asks_for_nothing_from_elsewhere(report_out, report_page):
    text = (report_out / "index.html").read_text("utf-8")

    rest = re.sub(r"data:image/png;base64,[\w+/=]+", "", text)
    assert not re.search(r"https?:|//\w|@import|<script|<link", rest)
    for name, value in report_page.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:image/png;base64,"))


def test_the_page_can_be_read_on_a_phone_in_the_dark_and_aloud(
    report_out, report_page
):
    text = (report_out / "index.html").read_text("utf-8")
    attributes = set(report_page.attributes)

    assert ("lang", "en") in attributes
    assert ("content", "width=device-width, initial-scale=1") in attributes
    assert "prefers-color-scheme: dark" in text
    assert (
        report_page.tags.count("table") == report_page.tags.count("caption") > 3
    )
    assert report_page.tags.count("svg") == report_page.tags.count("figcaption")
    assert report_page.tags.count("svg") == report_page.tags.count("desc")
    assert ("role", "img") in attributes
    for header, *_ in report_page.tables:
        assert all(header)
    svg = "".join(re.findall(r"<svg.*?</svg>", text, re.S))
    assert "#000000" not in svg  # black would be invisible in the dark
    assert 'width="' not in re.sub(r"<image .*?>", "", svg.split("<g")[0])


def test_the_same_runs_give_the_same_page(report_study, report_out, tmp_path):
    again, _ = write_report([report_study], tmp_path)

    for path in report_out.glob("*.[hs]*"):
        assert (again.parent / path.name).read_bytes() == path.read_bytes()


def test_every_group_has_its_points_beside_the_paper(report_page):
    tables = [t for t in report_page.tables if "grade" in t[0]]

    assert len(tables) == 2
    for header, *rows in tables:
        grades = {row[0]: row[header.index("grade")] for row in rows}
        assert grades["dropout"] == "= equal"
        assert grades["batch norm, statistics in testing"] == "≠ deviates"


def test_a_group_has_the_points_of_all_of_its_runs(tmp_path):
    """What differs, as seeds do, is listed; what no run does alone, once."""
    for seed in (4, 7):
        folder = tmp_path / f"seed{seed}"
        make_run(folder, load_spec("resnet20"), seed, {"precision": "bfloat16"})

    rows = page_of(tmp_path, out=tmp_path / "out").table("grade")

    here = {row["point"]: (row["here"], row["grade"]) for row in rows}
    assert here["seed"] == ("4; 7", "≈ equivalent")
    assert here["batch"] == ("128 images", "= equal")
    assert here["precision"] == ("convolutions in bfloat16", "≠ deviates")


def test_without_an_evaluation_the_page_says_how_to_get_a_matrix(
    report_page, report_out, tmp_path
):
    """Of digits there is one, of resnet20 none."""
    text = (report_out / "index.html").read_text("utf-8")

    (said,) = re.findall("No confusion matrix of ([^:]*): <code>(.*?)<", text)
    assert said == ("resnet20", "kresnet evaluate RUN")


def test_evaluations_are_in_a_table(report_page):
    (row,) = report_page.table("top-1 error")

    assert (row["network"], row["split"], row["images"], row["n"]) == (
        "digits",
        "test",
        "360",
        "1",
    )


def test_ensembles_stand_beside_their_members(tmp_path):
    """They need not lie below a run, nor must a run be there."""
    folders = [
        make_run(tmp_path / f"runs/{seed}", load_spec("resnet20"), seed)
        for seed in (3, 5)
    ]
    members = [
        make_evaluation(folder, name="resnet20", error=50.0 + i)
        for i, folder in enumerate(folders)
    ]
    members[1]["protocol"]["views"] = "another"
    together = tmp_path / "together"
    together.mkdir()
    ensemble = make_evaluation(folders[0], members=members, error=25.0)
    del ensemble["identity"], ensemble["protocol"]
    path = together / "ensemble-test-moving-averages.json"
    path.write_text(json.dumps(ensemble))
    (together / "ensemble-test-re-estimated.json").write_text("{}")

    page = page_of(together, out=tmp_path / "out")

    assert page.table("top-1 error") == [
        {"network": name, "top-1 error": error, "top-5 error": "0.00"}
        for name, error in (
            ("resnet20, seed 3", "50.00"),
            ("resnet20, seed 5", "51.00"),
            ("all together", "25.00"),
        )
    ]
    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert ": one; another; batch-norm statistics: moving averages." in text
    # Not shown, and why: each thing that is missing.
    assert "ensemble-test-re-estimated.json: loss: missing" in text
    assert "; " + str(together) in text
    assert "\\n" not in text


ATTACK = "</title></svg><script>alert(1)</script>\"'&<b>"


def test_what_comes_from_files_is_text_and_never_markup(tmp_path, digits_run):
    spec = load_spec("resnet20")
    make_run(tmp_path / "a", spec, 0, status="stopped", message=ATTACK)
    info = {
        "finished": ATTACK,
        "versions": {"backend": ATTACK, ATTACK: ATTACK},
        "hardware": {
            **dict.fromkeys(("host", "platform", "processor"), ATTACK),
            "flags": {},
            "devices": [ATTACK],
        },
    }
    make_run(tmp_path / "b <i>&\udcff", spec, 1, **info)
    make_run(tmp_path / "d", spec, 2, status=ATTACK)
    digits = shutil.copytree(digits_run, tmp_path / "digits")
    found = evaluate(digits).model_dump(mode="json")
    found["class_names"] = [f"$\\frac{i}\0\ud800{ATTACK}" for i in range(10)]
    found["protocol"] |= {"views": ATTACK}
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


def test_damaged_tables_are_named_and_the_rest_is_shown(tmp_path):
    good = make_run(tmp_path / "good", load_spec("resnet20"), 0)
    bad = make_run(tmp_path / "bad", load_spec("resnet20"), 1)
    (bad / "metrics.csv").write_text("iteration\nmany\n")
    (good / "evaluation-test-x.json").write_text("[]")
    (good / "evaluation-test-y.json").write_text(
        json.dumps(make_evaluation(good, error=25.0))
    )
    (good / "evaluation-test-z.json").write_text(
        json.dumps(make_evaluation(bad))
    )
    (good / "responses.csv").write_bytes(b"\xff\xfe")

    page = page_of(tmp_path, out=tmp_path / "out")

    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    for name in ("bad/metrics.csv", "responses.csv"):
        assert f"{name}: not " in text
    assert "evaluation-test-x.json: expected a mapping of fields" in text
    assert "evaluation-test-z.json: is of another run" in text
    assert page.tags.count("svg") == 2  # a curve and a matrix
    (row,) = page.table("top-1 error")
    assert row["top-1 error"] == "25.00"
