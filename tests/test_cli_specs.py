"""The commands about specs, and what surrounds every command."""

import json
import os
import re
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import typer

from kresnet.cli import app, run
from kresnet.errors import DivergedError
from kresnet.spec import shipped_specs

TEXT = (resources.files("kresnet.specs") / "resnet20.yaml").read_text(
    encoding="utf-8"
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_check_says_ok_once_for_every_good_spec(capsys):
    assert run(app, ["check", *shipped_specs()]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(shipped_specs())
    assert "resnet20: ok, 20 layers, 269,722 parameters" in lines


def test_check_reports_the_problems_of_all_bad_specs(folder, capsys):
    (folder / "a.yaml").write_text(TEXT.replace("classes: 10", "classes: 11"))
    (folder / "b.yaml").write_text(TEXT.replace("  momentum: 0.9\n", ""))

    assert run(app, ["check", "a.yaml", "plain20", "b.yaml", "none.yaml"]) == 2

    out, err = capsys.readouterr()
    assert out.startswith("plain20: ok")
    assert [line.split(": ")[0] for line in err.splitlines()] == [
        "a.yaml:5:34",  # one class more has 65 parameters more
        "a.yaml:14:12",
        "b.yaml:26:3",
        "none.yaml",
    ]


def test_check_of_nothing_but_missing_files_is_66(capsys):
    assert run(app, ["check", "none.yaml", "plain20"]) == 66

    out, err = capsys.readouterr()
    assert out.startswith("plain20: ok")
    assert err == "none.yaml: cannot be read: No such file or directory\n"


def test_check_takes_overrides(capsys):
    assert run(app, ["check", "plain20", "--set", "training.momentum=2"]) == 2

    assert "--set training.momentum=2: training.momentum" in (
        capsys.readouterr().err
    )


def test_show_prints_the_layer_table_with_the_papers_names(capsys):
    assert run(app, ["show", "resnet20"]) == 0

    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line]
    assert ["conv1", "3×3", "32×32×16", "1", "464", "442,368"] in rows
    assert ["total", "20", "269,722", "40,551,040"] in rows
    assert out.lower().count("flop") == 1  # that we do not call them so


def test_show_says_that_a_changed_model_drops_expect(capsys):
    blocks = [f"--set=model.stages[{i}].blocks=1" for i in range(3)]

    assert run(app, ["show", "resnet20", *blocks]) == 0

    out, err = capsys.readouterr()
    assert err.count("expect is dropped") == 1
    assert re.search(r"^total +8 ", out, re.MULTILINE)


def test_specs_lists_the_shipped_ones(capsys):
    assert run(app, ["specs"]) == 0

    assert capsys.readouterr().out.splitlines() == shipped_specs()


def test_schema_prints_a_json_schema(capsys):
    assert run(app, ["schema"]) == 0

    assert json.loads(capsys.readouterr().out)["title"] == "kresnet spec"


def test_help_documents_every_exit_code(capsys):
    assert run(app, ["--help"]) == 0

    out = capsys.readouterr().out
    for code in (0, 1, 2, 65, 66, 69, 70, 73, 74, 75):
        assert re.search(rf"^ +{code}  \w", out, re.MULTILINE)


@pytest.mark.parametrize("args", [["chek"], ["check"], ["show", "--sett=x"]])
def test_a_wrong_usage_is_2(args, capsys):
    assert run(app, args) == 2

    assert "Error: " in capsys.readouterr().err


def failing(error):
    """An app of two commands, one of which fails."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def fail():
        raise error

    @app.command()
    def work():
        pass

    return app


def test_an_error_of_ours_is_its_message_and_its_code(capsys):
    app = failing(DivergedError("the loss is nan at iteration 7"))

    assert run(app, ["fail"]) == 70

    out, err = capsys.readouterr()
    assert (out, err) == ("", "the loss is nan at iteration 7\n")


def test_a_bug_is_one_line_and_a_traceback_in_a_file(capsys):
    assert run(failing(ZeroDivisionError("a\nb")), ["fail"]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    found = re.fullmatch(
        r"kresnet: bug: ZeroDivisionError: a b; traceback in (.+)\n", err
    )
    text = Path(found[1]).read_text(encoding="utf-8")
    assert text.startswith("Traceback (most recent call last):")
    assert "in fail" in text


def test_a_bug_is_one_line_even_where_nothing_can_be_written(
    capsys, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")

    assert run(failing(ValueError("x")), ["fail"]) == 1

    err = capsys.readouterr().err
    assert err.startswith("kresnet: bug: ValueError: x (no traceback written")
    assert err.count("\n") == 1


def test_an_interrupt_is_130_and_says_nothing(capsys):
    assert run(failing(KeyboardInterrupt()), ["fail"]) == 130

    assert capsys.readouterr().err == ""


def kresnet(command, **environment):
    """Runs a shell command in which $K is kresnet."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        env={**os.environ, "K": f"{sys.executable} -m kresnet", **environment},
        check=False,
    )


def test_a_closed_pipe_is_quiet():
    """The output is longer than a pipe holds, and nobody reads it."""
    done = kresnet("{ $K show resnet1202; echo $? >&2; } | true")

    assert done.stderr == "141\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_74():
    done = kresnet("$K specs > /dev/full")

    assert done.returncode == 74
    assert done.stderr.count("\n") == 1


def test_a_closed_output_is_no_bug():
    assert kresnet("$K specs >&-").returncode == 0


def test_wrong_usage_is_2_also_where_nobody_can_be_told():
    assert kresnet("$K nosuch 2>/dev/full").returncode == 2
    assert kresnet("$K nosuch >&- 2>&- <&-").returncode == 2


def test_no_file_becomes_the_standard_output_that_was_closed():
    """Native code and children would write their words into it."""
    program = (
        "import os, sys; from kresnet.cli import run;"
        "run(lambda *_, **__: os._exit(os.open(os.devnull, os.O_RDONLY)))"
    )

    done = kresnet(f"{sys.executable} -c '{program}' <&- >&- 2>&-")

    assert done.returncode > 2


@pytest.mark.parametrize("command", ["explain", "report", "diff plain20"])
def test_a_name_that_no_file_can_have_is_missing(command, capsys):
    name = "a" * 5_000

    assert run(app, [*command.split(), name]) == 66
    assert f"{name}: " in capsys.readouterr().err


TWICE = """
import signal, sys, tempfile
from kresnet.cli import run
from kresnet.machine.signals import ENDING

def begun(*_, **__):
    with tempfile.TemporaryDirectory(dir="."):
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)

number = int(sys.argv[1])
ENDING.listen()
sys.exit(run(begun))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGHUP"])
def test_a_signal_is_one_line_and_what_was_begun_is_cleared_away(folder, name):
    """A repeat within two seconds, as SLURM sends it, changes nothing."""
    number = getattr(signal, name)

    done = subprocess.run(
        [sys.executable, "-c", TWICE, str(int(number))],
        stderr=subprocess.PIPE,
        text=True,
    )

    assert done.returncode == 128 + number
    assert done.stderr == f"kresnet: ended by {name}\n"
    assert list(folder.iterdir()) == []


def test_an_ascii_terminal_shows_what_it_can():
    done = kresnet("$K show digits", PYTHONIOENCODING="ascii")

    assert done.returncode == 0
    assert "32?32" not in done.stdout
    assert "8?8?16" in done.stdout


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from kresnet.cli import app; from kresnet.cli import"
        " run; run(app, ['--help']); print({'keras', 'numpy',"
        " 'rich', 'tensorflow', 'jax'} & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.endswith("set()\n")
