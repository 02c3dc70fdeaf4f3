"""The report: which runs are averaged, and what stands beside the paper."""

import json

import numpy as np
import pytest
from report_page import RESULT, make_run, page_of

from kresnet.reporting.groups import mean_and_deviation, read_runs
from kresnet.reporting.paper import not_comparable, paper_test_error
from kresnet.spec import load_spec


def test_errors_are_means_with_the_standard_deviation_of_a_sample(report_page):
    rows = {row["network"]: row for row in report_page.table("n")}

    errors = np.array([8.5, 9.25, 8.75])
    mean, deviation = errors.mean(), errors.std(ddof=1)
    row = rows["resnet20"]
    assert row["n"] == "3"
    assert row["test, last iteration"] == f"{mean:.2f} ± {deviation:.2f}"
    assert row["test, best by validation"] == (
        f"{mean + 0.5:.2f} ± {deviation:.2f}"
    )
    assert row["validation, best"] == f"{mean - 1:.2f} ± {deviation:.2f}"
    assert row["test, the paper"] == "8.75 (table 6)"
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
        spec = load_spec(f"resnet{layers}")
        assert paper_test_error(spec) == f"{error} (table 6)"
    best = paper_test_error(load_spec("resnet110"))
    assert best == "6.43 (table 6, the best; 6.61 ± 0.16 over 5 runs)"
    assert paper_test_error(load_spec("plain20")) == ""


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("preresnet110", "6.37 (table 2, median of 5 runs)"),
        ("preresnet164", "5.46 (table 2, median of 5 runs)"),
        ("resnet164-norm-after-addition", "6.50 (table 2, median of 5 runs)"),
        ("resnet110-gated", "8.70 (table 1, median of 5 runs)"),
        ("resnet110-c", "12.22 (table 1, median of 5 runs)"),
        ("resnet110-dropout", "fails, above 20 (table 1, median of 5 runs)"),
    ],
)
def test_numbers_of_identity_mappings_are_those_of_its_tables(name, error):
    """He et al. 2016, arXiv:1603.05027."""
    assert not_comparable(load_spec(name)) == []
    assert paper_test_error(load_spec(name)) == error


@pytest.mark.parametrize(
    ("bias", "error"), [(0, "fails"), (-5, "fails"), (-6, "8.70"), (-7, "9.81")]
)
def test_gates_have_the_number_of_their_bias(bias, error):
    changes = [f"model.stages[{i}].gate.bias={bias}" for i in range(3)]

    spec = load_spec("resnet110-gated", changes)
    assert paper_test_error(spec).startswith(error)


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
    assert row["test, the paper"] == (
        "not comparable: iterations: 1,500; learning rate: 0.1, divided by 10"
        " at 750 and 1,125"
    )


def test_a_diverged_run_is_listed_and_never_averaged(report_study, report_page):
    (row,) = report_page.table("why")

    assert row["run"] == str(report_study / "resnet20/seed9")
    assert row["why"] == (
        "diverged, at iteration 700 of 64,000: loss is not finite"
    )
    statuses = [row["status"] for row in report_page.table("status")]
    assert sorted(statuses) == ["diverged", *["finished"] * 4]


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ({"status": "running", "iteration": 60}, "running, at iteration 60"),
        ({"status": "stopped", "iteration": 60}, "stopped, at iteration 60"),
        ({"iteration": 63_000}, "iteration: must be 64000, the last one"),
        ({"test_error": None}, "has no test error"),
        ({"test_error": "8.75"}, "test_error: must be a number from 0 to 100"),
        ({"test_error": float("nan")}, "test_error: must be a number from 0"),
        ({"seed": 0}, "has the seed of"),
        ({"seed": "one"}, "identity.seed: must be an integer"),
    ],
    ids=str,
)
def test_what_is_left_out_of_the_mean(tmp_path, info, why):
    spec = load_spec("resnet20")
    make_run(tmp_path / "a/seed0", spec, 0, test_error=8.0)
    make_run(tmp_path / "a/seed1", spec, **{"seed": 1, **info})

    found = read_runs([tmp_path])

    (left_out,) = found.left_out
    assert why in left_out.reason
    (group,) = found.groups
    assert [run.record.test_error for run in group.finished] == [8.0]


def test_runs_on_other_data_or_of_another_spec_are_other_groups(tmp_path):
    spec = load_spec("resnet20")
    make_run(tmp_path / "a", spec, 0)
    make_run(tmp_path / "b", spec, 1, {"data": "other"})
    make_run(tmp_path / "c", load_spec("resnet20", ["data.validation=0"]), 2)

    groups = read_runs([tmp_path]).groups

    assert [group.label for group in groups] == [
        "resnet20",
        "resnet20 (2)",
        "resnet20 (3)",
    ]
    assert groups[2].changes == ["data.validation: 5000 -> 0"]


def test_runs_of_another_precision_are_never_averaged_with_the_others(tmp_path):
    """Nor do they stand beside the paper, whose networks were in float32."""
    spec = load_spec("resnet20")
    for seed, name in enumerate(["float32", "float32", "bfloat16"]):
        make_run(tmp_path / f"seed{seed}", spec, seed, {"precision": name})

    rows = page_of(tmp_path, out=tmp_path / "out").table("n")

    assert [
        (row["network"], row["n"], row["test, the paper"]) for row in rows
    ] == [
        ("resnet20", "2", "8.75 (table 6)"),
        (
            "resnet20, bfloat16",
            "1",
            "not comparable: precision: convolutions in bfloat16",
        ),
    ]


def test_one_run_that_may_not_stand_beside_the_paper_keeps_its_group_away(
    tmp_path,
):
    spec = load_spec("resnet110")
    make_run(tmp_path / "a", spec, 0, warm_up_ended_at=400)
    make_run(tmp_path / "b", spec, 1, warm_up_ended_at=None)

    (both,) = page_of(tmp_path, out=tmp_path / "out").table("n")
    (one,) = page_of(tmp_path / "a", out=tmp_path / "out").table("n")

    reason = "not comparable: the warm-up's end: not reached"
    assert both["test, the paper"] == reason
    assert one["test, the paper"] == paper_test_error(load_spec("resnet110"))


@pytest.mark.parametrize("budget", [0.05, 1])
def test_a_proxy_is_known_from_its_study_wherever_a_report_begins(
    tmp_path, monkeypatch, budget
):
    """Not from its name, which is the study's own."""
    run = tmp_path / "study" / "mine" / "seed0"
    make_run(run, load_spec("resnet20", ["name=mine"]))
    summary = {"name": "x", "shows": "y", "budget": budget, "runs": [{}]}
    (tmp_path / "study" / "study.json").write_text(json.dumps(summary))
    monkeypatch.chdir(run)

    found = [
        read_runs([path]).groups[0].shown
        for path in (tmp_path, tmp_path / "study", run, ".")
    ]

    assert found == ["mine, proxy" if budget == 0.05 else "mine"] * 4


def test_how_often_a_run_was_evaluated_makes_no_other_experiment(tmp_path):
    for seed, every in enumerate([100, 1_000, 1_000]):
        spec = load_spec("resnet20", [f"training.evaluate_every={every}"])
        make_run(tmp_path / f"seed{seed}", spec, seed)

    (group,) = read_runs([tmp_path]).groups

    assert [run.seed for run in group.finished] == [0, 1, 2]
    assert group.changes == []


def test_a_run_that_is_named_twice_counts_once(report_study):
    found = read_runs(
        [report_study, report_study / "digits", report_study / "resnet20"]
    )

    assert sorted(len(group.finished) for group in found.groups) == [1, 3]
    assert len(found.left_out) == 1


def test_deepened_runs_are_a_group_apart_with_what_they_began_as(tmp_path):
    spec = load_spec("plain32")
    deepened = {
        "run": "plain20/seed1",
        "name": "plain20",
        "iteration": 64_000,
        "run_test_error": 9.5,
        "test_error": 9.5,
        "validation_error": 9.75,
    }
    make_run(tmp_path / "a", spec, 0, test_error=12.0)
    unknown = {**deepened, "test_error": None}
    for name, seed, more in (
        ("b", 1, {"test_error": 10.25, "deepened": deepened}),
        ("c", 2, {"deepened": unknown}),
    ):
        source = {"recipe": "plain20's", "seed": seed, "data": "d"}
        began = {"source": source, "weights": name}
        make_run(tmp_path / name, spec, seed, {"beginning": began}, **more)
    make_run(tmp_path / "d", spec, 3, test_error=14.0)

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
