"""Figures and tables show what the files hold."""

import errno
import shutil

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image
from report_page import make_evaluation
from rich.console import Console

from kresnet.errors import BadDataError, DiskFullError, InputMissingError
from kresnet.evaluation import evaluate
from kresnet.evaluation.evaluate import measured
from kresnet.figures import new_figure, palette_of, save_figure
from kresnet.instruments import Gradients
from kresnet.records.evaluation import Evaluation, Protocol
from kresnet.records.metrics import read_metrics
from kresnet.reporting import (
    draw_confusion,
    draw_learning_curve,
    evaluation_table,
    run_summary,
)
from kresnet.reporting.confusion import confusion_figure
from kresnet.reporting.curves import Curve, learning_curves
from kresnet.reporting.paper import beside_paper, paper_error_of_test
from kresnet.reporting.report import read_measured
from kresnet.spec import load_spec
from kresnet.trained import open_trained


@pytest.fixture
def folder(digits_run, tmp_path):
    return shutil.copytree(digits_run, tmp_path / "run")


def learning_curve(spec, metrics, test_error=None):
    """The figure of one run."""
    curve = Curve(spec.name, metrics, test_error)
    return learning_curves(spec, [curve], spec.name)


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def text_of(table):
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_the_curve_shows_the_columns_of_metrics_csv(folder):
    run = open_trained(folder)
    rows = np.genfromtxt(folder / "metrics.csv", delimiter=",", names=True)

    axes = learning_curve(run.spec, read_metrics(folder), 3.25).axes[0]

    lines = {line.get_label(): line for line in axes.lines}
    for label in ("training", "validation"):
        x, y = lines[f"digits, {label}"].get_data()
        np.testing.assert_array_equal(x, rows["iteration"])
        np.testing.assert_array_equal(y, rows[f"{label}_error"])
    assert lines["digits, training"].get_linestyle() == "--"
    assert lines["digits, validation"].get_linestyle() == "-"
    np.testing.assert_array_equal(
        lines["digits, test"].get_data(), [[rows["iteration"][-1]], [3.25]]
    )
    assert "test, last iteration: 3.25 %" in legend_of(axes.figure)
    drops = [x.get_xdata()[0] for x in axes.lines if len(x.get_xdata()) == 2]
    assert drops == [30, 45]


def test_without_validation_images_the_curve_has_no_such_line():
    spec = load_spec("digits", ["data.validation=0"])
    metrics = {
        "iteration": [100.0, 200.0],
        "training_error": [50.0, 20.0],
        "validation_error": [None, None],
    }

    figure = learning_curve(spec, metrics)

    labels = [line.get_label() for line in figure.axes[0].lines]
    assert "digits, validation" not in labels
    assert legend_of(figure) == ["training"]


def test_a_curve_of_one_row_can_be_seen():
    """A line through one point has no length, so it needs a marker."""
    spec = load_spec("digits")
    metrics = {
        "iteration": [500.0],
        "training_error": [40.0],
        "validation_error": [None],
    }

    figure = learning_curve(spec, metrics)

    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    box = figure.axes[0].get_window_extent()  # without the legend
    pixels = pixels[: int(len(pixels) - box.y0)]
    blue = np.abs(pixels - [0x00, 0x72, 0xB2]).sum(axis=2) < 60
    assert blue.sum() > 5


def test_one_colour_for_each_network_and_one_line_for_each_run(folder):
    spec, metrics = load_spec("digits"), read_metrics(folder)
    curves = [
        Curve("digits", metrics, 2.0),
        Curve("digits", metrics, 2.5),
        Curve("wide", metrics, None, unfinished=True),
    ]

    figure = learning_curves(spec, curves, "three runs")

    colours = {}
    for line in figure.axes[0].lines:
        if ", " in str(line.get_label()):
            label = line.get_label().split(", ")[0]
            colours.setdefault(label, set()).add(line.get_color())
    assert {len(found) for found in colours.values()} == {1}
    assert colours["digits"] != colours["wide"]
    assert legend_of(figure) == [
        "training",
        "validation",
        "test, last iteration",
        "not finished",
        "digits (2 runs)",
        "wide",
    ]


@pytest.mark.parametrize(
    ("training", "test", "top"),
    [(5.0, 9.0, 20), (5.0, 25.0, None), (30, 9, None)],
)
def test_long_runs_are_on_the_axes_of_figure_6_if_they_fit(training, test, top):
    metrics = {
        "iteration": [1_000.0, 64_000.0],
        "training_error": [70.0, training],
        "validation_error": [80.0, 10.0],
    }

    axes = learning_curve(load_spec("resnet20"), metrics, test).axes[0]

    assert axes.get_xlim() == (0, 6.4)  # in 1e4 iterations
    assert axes.get_ylim() == pytest.approx((0, top or 1.05 * 80))


def test_every_network_has_a_colour_of_its_own():
    for count in (1, 6, 7, 40):
        labels = [f"net{i // 2}" for i in range(2 * count)]
        found = palette_of(labels)
        assert len({to_hex(colour) for colour in found.values()}) == count


@pytest.mark.parametrize("length", [5, 17, 18, 28, 29, 59, 64])
def test_the_longest_names_fit_into_the_legend(folder, length):
    metrics = read_metrics(folder)
    labels = [f"{i}" * length for i in (0, 1, 2, 3, 3)]
    curves = [Curve(label, metrics) for label in labels]

    figure = learning_curves(load_spec("digits"), curves, "")

    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


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
    record = open_trained(folder).record

    text = text_of(run_summary(folder))

    assert "75,002" in text
    assert f"{record.test_error:.2f} %" in text
    assert f"iteration {record.best_validation.iteration}" in text
    assert "not comparable: not a network of the paper" in text


def test_a_shorter_run_than_its_shipped_spec_s_is_called_a_proxy(
    folder, monkeypatch
):
    """60 iterations of 1,000, in the summary and above the curve."""
    saved = []
    module = "kresnet.reporting.curves.save_figure"
    monkeypatch.setattr(module, lambda figure, path: saved.append(figure))

    draw_learning_curve(folder)

    assert "digits, seed 0, proxy" in text_of(run_summary(folder))
    assert saved[0].axes[0].get_title() == "digits, proxy"


def test_an_evaluation_is_shown_with_its_protocol(folder):
    text = text_of(evaluation_table(evaluate(folder)))

    for part in ("digits", "360", "moving averages", "top-5", "error on 9"):
        assert part in text


def test_only_the_paper_s_own_recipe_stands_beside_its_number():
    assert beside_paper(load_spec("resnet56")).startswith("6.97 (table 6)")
    assert "no number" in beside_paper(load_spec("plain56"))
    same = load_spec("resnet56", ["training.evaluate_every=50"])
    assert beside_paper(same).startswith("6.97 (table 6)")
    short = load_spec("resnet20", ["training.momentum=0.8"])
    assert beside_paper(short) == ("not comparable: momentum: 0.8")


# Of ResNet-50 the release notes have one crop, table 3 ten, table 4 all.
SIDES = (224, 256, 384, 480, 640)
OF_TESTS = {
    "one crop": (("single", (256,), False), "24.7 (release notes, one crop)"),
    "its mirror image too": (("single", (256,), True), ""),
    "ten crops": (("ten-crop", (256,), True), "22.85 / 6.71 (table 3)"),
    "ten crops elsewhere": (("ten-crop", (288,), True), ""),
    "dense": (("dense", SIDES, False), "20.74 / 5.25 (table 4)"),
    "dense, mirrored": (("dense", SIDES, True), "20.74 / 5.25 (table 4)"),
    "dense at one scale": (("dense", (224,), False), ""),
    "multi-crop": (("multi-crop", (256, 384, 512), True), ""),
}


def protocol(view="single", sides=None, mirrored=False, split="test"):
    return Protocol(
        data="imagenet",
        split=split,
        images=1,
        view=view,
        shorter_sides=sides,
        mirrored=mirrored,
        views="",
        batch_norm_statistics="",
        iteration=1,
    )


@pytest.mark.parametrize("case", OF_TESTS)
def test_beside_a_test_stands_the_paper_s_number_of_that_test_alone(case):
    given, want = OF_TESTS[case]

    assert paper_error_of_test(load_spec("resnet50"), protocol(*given)) == want


def test_other_splits_recipes_and_mirror_images_have_no_number_of_the_paper():
    spec, one = load_spec("resnet56"), protocol()
    assert paper_error_of_test(spec, one).startswith("6.97")
    assert paper_error_of_test(spec, protocol(mirrored=True)) == ""
    assert paper_error_of_test(spec, protocol(split="train")) == ""
    other = load_spec("resnet56", ["training.momentum=0.8"])
    assert paper_error_of_test(other, one) == ""
    crops = protocol("ten-crop", (256,), True)
    assert paper_error_of_test(load_spec("resnet18"), crops) == ""


def test_a_run_without_rows_or_with_rubbish_is_said(tmp_path):
    with pytest.raises(InputMissingError, match=r"metrics\.csv"):
        read_metrics(tmp_path)
    (tmp_path / "metrics.csv").write_text("iteration\nmany\n")
    with pytest.raises(BadDataError, match="not a table of numbers"):
        read_metrics(tmp_path)


def test_a_full_disk_leaves_the_figure_that_was_there(tmp_path, monkeypatch):
    path = save_figure(new_figure(2, 2), tmp_path / "curve.png")
    before = path.read_bytes()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError, match="No space left"):
        save_figure(new_figure(3, 3), path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_classes_without_an_image_keep_their_place_and_name(folder):
    """The names are those of the data set, not those of the split."""
    names = ["cat", "dog", "owl"]
    logits = np.array([[3.0, 0, 0], [0, 0, 3.0], [0, 3.0, 0]])
    labels = np.array([0, 2, 2])

    facts = make_evaluation(folder)
    found = Evaluation(
        identity=facts["identity"],
        protocol=facts["protocol"],
        **measured(logits, labels, names),
    )

    assert found.class_names == tuple(names)
    assert list(found.class_error) == ["cat", "owl"]
    matrix = np.array(found.confusion)
    axes = confusion_figure(matrix, found.class_names, "").axes[0]
    ticks = [tick.get_text() for tick in axes.get_yticklabels()]
    assert ticks == names
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "1", (1, 2): "1", (2, 2): "1"}  # (column, row)


def test_a_matrix_without_its_names_is_refused():
    with pytest.raises(ValueError, match=r"shape=\(3, 3\), 2 names"):
        confusion_figure(np.eye(3, dtype=int), ["a", "b"], "")


def test_gradient_norms_are_read_by_iteration_and_layer(tmp_path):
    """3, 4 and 12 are 13 together."""
    (tmp_path / "gradients.csv").write_text(
        "iteration,layer,norm\n0,conv1,3\n0,conv2_1_1,4\n0,fc,12\n50,conv1,1\n"
    )

    found = read_measured(Gradients(), tmp_path, "plain20")

    assert Gradients().summary(found) == (
        "plain20: in the first layer and in the last 3 and 12 at the start,"
        " 1 and 1 at iteration 50; all together from 1 to 13."
    )
    figure = Gradients().figure([found], "Gradients")
    upper, middle, lower = figure.axes
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), [3, 4, 12])
    np.testing.assert_array_equal(middle.lines[0].get_ydata(), [1])
    np.testing.assert_array_equal(lower.lines[0].get_data(), [[0, 50], [13, 1]])
    assert upper.get_ylim() == middle.get_ylim()  # to be compared


@pytest.mark.parametrize("cell", ["nan", "-1", "", "x"])
def test_a_norm_that_is_none_is_refused(tmp_path, cell):
    (tmp_path / "gradients.csv").write_text(
        f"iteration,layer,norm\n0,conv1,{cell}\n"
    )

    with pytest.raises(BadDataError, match="iteration, layer and norm"):
        read_measured(Gradients(), tmp_path, "plain20")
