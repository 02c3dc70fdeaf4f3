"""The report: its figures and what they are drawn from."""

import csv
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from report_page import make_run, page_of

from kresnet.errors import BadDataError, InputMissingError
from kresnet.instruments import Measured, Responses
from kresnet.records.metrics import read_metrics
from kresnet.reporting.losses import loss_curve, loss_curves
from kresnet.reporting.report import read_measured
from kresnet.spec import load_spec
from kresnet.training.logs.metrics import COLUMNS


def test_every_figure_is_there_as_png_and_svg(report_out):
    pictures = sorted(path.stem for path in report_out.glob("*.png"))

    assert [re.match(r"figure\d-([a-z]+)", p)[1] for p in pictures] == [
        "curves",
        "curves",
        "losses",
        "responses",
        "confusion",
    ]
    for stem in pictures:
        with Image.open(report_out / f"{stem}.png") as picture:
            assert min(picture.size) >= 500
        root = ElementTree.parse(report_out / f"{stem}.svg").getroot()
        assert root.tag.endswith("svg")
        assert any(node.tag.endswith("text") for node in root.iter())
    names = {*(f"{s}.{e}" for s in pictures for e in ("png", "svg"))}
    assert {path.name for path in report_out.iterdir()} == {
        *names,
        "index.html",
    }


def test_responses_are_those_of_the_last_iteration(report_study):
    read = read_measured(Responses(), report_study / "digits", "digits")

    iteration, deviations = read.values
    assert iteration == 60
    assert list(deviations) == ["conv1", "conv2_1_1", "conv2_1_2"]
    upper, lower = Responses().figure([read], "").axes
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), [1.5, 0.5, 2.5])
    np.testing.assert_array_equal(lower.lines[0].get_ydata(), [2.5, 1.5, 0.5])


@pytest.mark.parametrize(
    ("deviations", "scale"),
    [
        ((0.5, 1.0, 9.0), "linear"),
        ((0.5, 1.0, 11.0), "log"),
        ((0.0, 1.0, 11.0), "linear"),  # 0 has no logarithm
    ],
)
def test_one_large_response_does_not_flatten_the_others(deviations, scale):
    by_layer = dict(zip("abc", deviations, strict=True))

    figure = Responses().figure([Measured("net", (1, by_layer))], "")

    assert [axes.get_yscale() for axes in figure.axes] == [scale] * 2


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
        read_measured(Responses(), tmp_path, "x")


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


def test_gradient_norms_are_on_the_page(tmp_path):
    folder = make_run(tmp_path / "a", load_spec("resnet20"), 0)
    (folder / "gradients.csv").write_text("iteration,layer,norm\n0,conv1,3\n")

    page_of(tmp_path, out=tmp_path / "out")

    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "<h2>Gradient norms</h2><figure><svg" in text
