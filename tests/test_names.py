"""Names of files and folders may hold anything: shown escaped, or refused."""

import io
import json
import os
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from report_page import make_evaluation
from rich.console import Console

from kresnet.cli import app
from kresnet.cli import run as run_command
from kresnet.errors import BadDataError, KresnetError, SpecError
from kresnet.exporting import export
from kresnet.figures import legend_below, network_handles, new_figure
from kresnet.notices import notify, say, standard_output
from kresnet.prediction import predict
from kresnet.printable import printable
from kresnet.records.evaluation import Evaluation
from kresnet.reporting import (
    draw_confusion,
    evaluation_table,
    run_summary,
    write_report,
)

BYTES = os.fsdecode(b"e\xff")
NAMES = [
    *("runs[seed=0]", "[/old]", ":bug:", "a b", "m*", "m?", "m\\x", "$a_{$"),
    *("new\nline", "esc\x1b[31m", "bidi\u202egnp", BYTES, "n" * 255),
]
PATTERNS = ["m[1]", "[2026] project/m", "m*", "m?", "m\\x"]
SAME_RUN = [
    "--set=training.iterations=60",
    "--set=training.learning_rate.at=[30,45]",
    "--set=training.evaluate_every=15",
]


def command(capsys, *arguments):
    """The exit code of a command, and all that it said."""
    code = run_command(app, [*map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out + err


def shown(path):
    """How a path must be shown: as text, on one line."""
    return "".join(
        each if each.isprintable() else ascii(each)[1:-1] for each in str(path)
    )


def harmless(text):
    return all(line.isprintable() for line in text.split("\n"))


def test_what_does_not_print_is_escaped_and_nothing_else():
    assert printable("a é 手 [b]\\") == "a é 手 [b]\\"
    assert printable("a\nb\x1b[0m\u202e\u2028" + BYTES) == (
        r"a\nb\x1b[0m\u202e\u2028e\udcff"
    )
    assert printable("a\nb", keep="\n") == "a\nb"


def test_an_error_has_the_lines_it_was_given_and_no_others(capsys):
    error = BadDataError("a\nforged: b", "  second\x1b[0m")

    assert str(error) == "a\\nforged: b\n  second\\x1b[0m"
    notify(error)
    notify("c\nd", "e")
    say("f\ng", "h")
    out, err = capsys.readouterr()
    assert err == f"{error}\nc\\nd\ne\n"
    assert out == "f\\ng\nh\n"


def test_consoles_take_text_for_text(capsys):
    standard_output().print("[bold]a[/] [/x] :bug:", highlight=False)

    assert capsys.readouterr().out == "[bold]a[/] [/x] :bug:\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_run_can_be_in_a_folder_of_any_name(
    digits_run, tmp_path, capsys, name
):
    folder = shutil.copytree(digits_run, tmp_path / "f" / name)
    image = tmp_path / f"{name[:200]}.png"
    Image.new("L", (8, 8)).save(tmp_path / "x.png")
    image.parent.mkdir(exist_ok=True)  # "[/old]" has a folder
    (tmp_path / "x.png").rename(image)

    code, said = command(
        capsys, "train", "digits", *SAME_RUN, f"--out={folder}"
    )
    assert code == 0
    assert f"figure: {shown(folder)}/curve.png\n" in said
    assert "".join(
        line.split("│")[2].strip()
        for line in said.splitlines()
        if line.startswith("│")
    ).endswith("".join(shown(folder).split(" "))) or " " in str(folder)
    assert harmless(said)

    code, said = command(capsys, "predict", folder, image)
    assert code == 0
    assert f"{shown(image)}\n" in said
    assert harmless(said)

    out = tmp_path / "r" / name
    code, said = command(capsys, "report", folder, f"--out={out}")
    assert code == 0
    assert f"page: {shown(out)}/index.html\n" in said
    page = (out / "index.html").read_text("utf-8")
    assert harmless(page.replace("\u00a0", ""))

    assert command(capsys, "diff", folder, folder)[0] == 0
    assert command(capsys, "explain", folder)[0] == 0


def test_the_table_of_a_run_shows_its_whole_folder(digits_run, tmp_path):
    for name in ("runs[seed=0]", "[/old]", ":bug:", "esc\x1b[31m"):
        folder = shutil.copytree(digits_run, tmp_path / name)

        console = standard_output()
        console.width = 200
        with console.capture() as captured:
            console.print(run_summary(folder))

        assert f" {shown(folder)} " in captured.get()
        assert "[bold]" not in captured.get()


@pytest.mark.parametrize("name", [*PATTERNS, BYTES])
def test_a_folder_that_nobody_could_load_from_is_refused_first(
    tmp_path, capsys, name
):
    """The run is not there: the name alone is looked at."""
    with pytest.raises(SpecError, match="name another folder with --out"):
        export(tmp_path / "none", tmp_path / name)
    code, said = command(capsys, "export", tmp_path / name)

    assert code == 2
    assert harmless(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_export_that_was_moved_says_the_same(
    exported, tmp_path, capsys, name
):
    image = tmp_path / "x.png"
    Image.fromarray(np.arange(64, dtype="uint8").reshape(8, 8)).save(image)
    moved = shutil.copytree(exported, tmp_path / "f" / name)

    assert predict(moved, [image]) == predict(exported, [image])
    out = tmp_path / "o" / name
    code, said = command(capsys, "evaluate", moved, f"--out={out}")
    assert code == 0
    assert f"numbers: {shown(out)}/evaluation-test-" in said
    assert harmless(said)


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["d" * 200] * 25)])
def test_a_name_that_is_too_long_is_refused_before_anything_is_computed(
    digits_run, exported, tmp_path, capsys, name, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for code, *arguments in (
        (66, "check", name),
        (66, "diff", name, "digits"),
        (66, "explain", name),
        (66, "report", name),
        (66, "responses", name),
        (66, "evaluate", name),
        (66, "predict", name, "x.png"),
        (66, "predict", exported, name),
        (66, "export", name, "--out=e"),
        (66, "train", "digits", f"--deepen={name}"),
        (66, "train", "digits", f"--out={name}"),
        (73, "export", digits_run, f"--out={name}"),
        (73, "evaluate", exported, f"--out={name}"),
        (73, "responses", digits_run, f"--out={name}"),
        (73, "report", digits_run, f"--out={name}"),
        (73, "study", "depth", f"--out={name}"),
        (73, "bench", "digits", f"--json={name}"),
    ):
        found, said = command(capsys, *arguments)

        assert (arguments[0], found) == (arguments[0], code), said
    assert list(tmp_path.iterdir()) == []


def test_wrong_usage_is_shown_escaped(capsys):
    code, said = command(capsys, "check", "--a\x1b[31m\u202e")

    assert code == 2
    assert "--a\\x1b[31m\\u202e" in said
    assert harmless(said)


def test_words_of_a_legend_are_no_mathematics():
    figure = new_figure(3, 3)
    labels = ["a $x^$", "b $\\frac$"]
    legend_below(figure, network_handles(labels, dict.fromkeys(labels, "k")))

    figure.canvas.draw()

    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == labels


def test_a_report_of_files_that_hold_anything_is_a_sound_page(
    digits_run, tmp_path
):
    """Of run.json, an evaluation and a study's file, changed by hand."""
    anything = "$\\frac$ [/x] <b>\x1b[31m\x00\u202e" + BYTES
    folder = shutil.copytree(digits_run, tmp_path / "study" / "a" / "seed0")
    info = json.loads((folder / "run.json").read_text())
    info["versions"]["tensorflow"] = anything
    (folder / "run.json").write_text(json.dumps(info))
    evaluation = make_evaluation(folder, class_names=[anything, "b"])
    evaluation["protocol"]["views"] = anything * 20
    file = folder / f"evaluation-{BYTES}\n$x^$-a.json"
    file.write_text(json.dumps(evaluation))
    study = {"name": anything, "shows": f"Two\nlines. {anything}"}
    study |= {"budget": 1.0, "runs": [{}]}
    (tmp_path / "study" / "study.json").write_text(json.dumps(study))

    page, _ = write_report([tmp_path / "study"], tmp_path / "out")

    text = page.read_text("utf-8")
    assert harmless(text.replace("\u00a0", ""))
    assert "&lt;b&gt;\\x1b[31m\\x00\\u202e" in text
    drawn = list((tmp_path / "out").glob("*confusion*.svg"))
    assert len(drawn) == 1
    for file in (tmp_path / "out").glob("*.svg"):
        ElementTree.parse(file)


def test_names_of_classes_are_shown_on_a_screen_and_drawn_without_harm(
    digits_run, tmp_path
):
    """Folders give them: escapes, other scripts, 255 characters."""
    names = ["a\x1b[31m\nb", "日本語", "x" * 255]
    found = Evaluation.model_validate(
        make_evaluation(
            digits_run,
            class_names=names,
            class_error=dict.fromkeys(names, 50.0),
            confusion=[[3, 1, 0], [1, 3, 0], [0, 0, 1]],
        )
    )
    screen = io.StringIO()

    Console(file=screen, width=300).print(evaluation_table(found))
    path = draw_confusion(found, tmp_path / "a.png")  # warnings are errors

    assert "error on a\\x1b[31m\\nb" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()
    assert path.exists()


def test_every_error_of_the_package_words_itself_so():
    for kind in KresnetError.__subclasses__():
        assert kind.__str__ is KresnetError.__str__
