"""What a study's file and its budget may say."""

import pytest

from kresnet.errors import SpecError
from kresnet.study import load_study, parse_budget

RUNS = "name: x\nshows: y\nruns:\n  - {%s, seeds: [1]}\n"


@pytest.mark.parametrize(
    ("run", "field"),
    [
        ("name: study.json, spec: digits", "name"),
        ("name: specs, spec: digits", "name"),
        ("name: report, spec: digits", "name"),
        ("spec: a/report.yaml", "spec"),
        ("spec: study.json.yaml", "spec"),
    ],
)
def test_a_run_does_not_take_the_name_of_a_file_of_the_study(
    tmp_path, run, field
):
    (tmp_path / "x.yaml").write_text(RUNS % run)

    with pytest.raises(SpecError, match=rf"runs\[0\]\.{field}: must not be"):
        load_study(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (RUNS % "name: a., spec: digits", r"runs\[0\]\.name"),
        (RUNS % "name: Con, spec: digits", r"runs\[0\]\.name"),
        (RUNS % "spec: a/nul.yaml", r"runs\[0\]\.spec"),
        (
            (RUNS % "spec: digits").replace("name: x", "name: aux.1"),
            r"x\.yaml:1:7: name",
        ),
    ],
)
def test_names_can_be_folders_everywhere_as_a_spec_s_must(
    tmp_path, text, field
):
    (tmp_path / "x.yaml").write_text(text)

    with pytest.raises(SpecError, match=f"{field}: must be usable as a folder"):
        load_study(tmp_path / "x.yaml")


@pytest.mark.parametrize("name", ["study", "reports", "specs.old", "digits"])
def test_other_names_are_free(tmp_path, name):
    (tmp_path / "x.yaml").write_text(RUNS % f"name: {name}, spec: digits")

    assert load_study(tmp_path / "x.yaml").runs[0].label == name


@pytest.mark.parametrize(
    "text",
    [
        "1e-99999999",
        "1e-99999999%",
        "1e-9_9_9_9_9_9_9",
        "1e+99999999",
        f"1/{'9' * 5_000}",
        f"0.{'0' * 5_000}1",
        "٥%",
        "inf",
        "%",
        ".",
        "1/",
        "",
    ],
    ids=lambda text: text[:20],
)
def test_a_budget_that_would_take_for_ever_is_refused_at_once(text):
    with pytest.raises(SpecError, match="--budget: must be a share") as error:
        parse_budget(text)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("text", ["5e-2", "1/20", ".05", "5 %", " 5.0% "])
def test_a_share_may_be_written_in_other_ways(text):
    assert parse_budget(text) == parse_budget("5%")
