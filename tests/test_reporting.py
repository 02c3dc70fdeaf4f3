"""Figures and tables show what the files hold."""

import shutil

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from kresnet.errors import BadDataError, InputMissingError
from kresnet.evaluation import evaluate
from kresnet.reporting import (
    draw_confusion,
    draw_learning_curve,
    evaluation_table,
    run_summary,
)
from kresnet.reporting.learning_curve import learning_curve
from kresnet.reporting.metrics_file import read_metrics
from kresnet.reporting.paper_table import beside_paper
from kresnet.spec import load_spec
from kresnet.training import load_run


@pytest.fixture
def folder(digits_run, tmp_path):
    return shutil.copytree(digits_run, tmp_path / "run")


def text_of(table):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_the_curve_shows_the_columns_of_metrics_csv(folder):
    run = load_run(folder)
    rows = np.genfromtxt(folder / "metrics.csv", delimiter=",", names=True)

    axes = learning_curve(run.spec, read_metrics(folder), 3.25).axes[0]

    lines = {line.get_label(): line for line in axes.lines}
    for label in ("training", "validation"):
        x, y = lines[label].get_data()
        np.testing.assert_array_equal(x, rows["iteration"])
        np.testing.assert_array_equal(y, rows[f"{label}_error"])
    assert lines["training"].get_linestyle() == "--"
    assert "test, last iteration: 3.25 %" in lines
    drops = [x.get_xdata()[0] for x in axes.lines if len(x.get_xdata()) == 2]
    assert drops == [30, 45]


def test_without_validation_images_the_curve_has_no_such_line():
    spec = load_spec("digits", ["data.validation=0"])
    metrics = {
        "iteration": [100.0, 200.0],
        "training_error": [50.0, 20.0],
        "validation_error": [None, None],
    }

    axes = learning_curve(spec, metrics).axes[0]

    assert "validation" not in [line.get_label() for line in axes.lines]


def test_figures_are_pictures(folder):
    evaluation = evaluate(folder)
    for path in (
        draw_learning_curve(folder),
        draw_confusion(evaluation, folder / "confusion.png"),
    ):
        with Image.open(path) as picture:
            assert min(picture.size) >= 500
            assert len(picture.convert("RGB").getcolors(1_000_000)) > 10


def test_the_summary_keeps_last_and_best_apart(folder):
    info = load_run(folder).info

    text = text_of(run_summary(folder))

    assert "75,002" in text
    assert f"{info['test_error']:.2f} %" in text
    assert f"iteration {info['best_validation']['iteration']}" in text
    assert "not comparable: not a network of the paper" in text


def test_an_evaluation_is_shown_with_its_protocol(folder):
    text = text_of(evaluation_table(evaluate(folder)))

    for part in ("digits", "360", "moving averages", "top-5", "error on 9"):
        assert part in text


def test_only_the_paper_s_own_recipe_stands_beside_its_number():
    assert beside_paper(load_spec("resnet56")).startswith("6.97 %")
    assert "no number" in beside_paper(load_spec("plain56"))
    same = load_spec("resnet56", ["training.evaluate_every=50"])
    assert beside_paper(same).startswith("6.97 %")
    short = load_spec("resnet20", ["training.momentum=0.8"])
    assert beside_paper(short) == (
        "not comparable: training.momentum: 0.9 -> 0.8"
    )


def test_a_run_without_rows_or_with_rubbish_is_said(tmp_path):
    with pytest.raises(InputMissingError, match=r"metrics\.csv"):
        read_metrics(tmp_path)
    (tmp_path / "metrics.csv").write_text("iteration\nmany\n")
    with pytest.raises(BadDataError, match="not a table of numbers"):
        read_metrics(tmp_path)
