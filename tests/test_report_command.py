"""The command `kresnet report`."""

import os
import subprocess
import sys

import pytest
from report_page import RESULT, make_run, page_of

from kresnet.cli import app, run
from kresnet.spec import load_spec


@pytest.mark.parametrize(
    ("info", "field"),
    [
        ({"hardware": None}, "hardware: must be a mapping"),
        ({"hardware": {"devices": 3}}, "hardware.host: missing; must be a st"),
        ({"versions": {"backend": [1]}}, "versions.backend: must be a string"),
        ({"best_validation": 7}, "best_validation: must be a mapping"),
        ({"seconds": 10**400}, "seconds: must be a number"),
        ({"colour": 1}, "colour: unknown field"),
    ],
    ids=str,
)
def test_a_damaged_record_is_told_by_its_field(tmp_path, capsys, info, field):
    folder = make_run(tmp_path / "a", load_spec("resnet20"), **info)

    (row,) = page_of(folder, out=tmp_path / "out").table("why")

    assert f"{folder / 'run.json'}: {field}" in row["why"]
    assert run(app, ["explain", str(folder)]) == 65
    assert run(app, ["diff", str(folder), str(RESULT)]) == 65
    assert f"{folder / 'run.json'}: {field}" in capsys.readouterr().err


def test_a_run_whose_spec_was_changed_afterwards_is_used_nowhere(
    tmp_path, capsys
):
    folder = make_run(tmp_path / "a", load_spec("resnet20"))
    spec = folder / "spec.yaml"
    spec.write_text(
        spec.read_text().replace("epsilon: 1.0e-05", "epsilon: 0.5")
    )

    (row,) = page_of(folder, out=tmp_path / "out").table("why")

    assert f"{spec}: was changed since the run" in row["why"]
    assert run(app, ["explain", str(folder)]) == 65
    assert f"{spec}: was changed since the run" in capsys.readouterr().err


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
    report_study, tmp_path, capsys
):
    assert run(app, ["report", str(report_study), "--out", str(tmp_path)]) == 0

    out, err = capsys.readouterr()
    assert "networks: 2, runs averaged: 4" in out
    assert str(tmp_path / "index.html") in out
    begins, left_out, *_ = err.splitlines()
    assert begins == "reading the runs and drawing the figures"
    assert left_out.startswith(
        f"{report_study}/resnet20/seed9: not averaged: diverged"
    )


def test_a_report_needs_no_keras(tmp_path, heavy_imports):
    found = heavy_imports(
        "from kresnet.reporting import write_report;"
        f" write_report([{str(RESULT)!r}], {str(tmp_path)!r})"
    )

    assert found == {"matplotlib", "numpy"}


def test_a_setting_of_matplotlib_does_not_matter(tmp_path):
    """Figures go to files; another value ends Matplotlib's import."""
    make_run(tmp_path / "run", load_spec("resnet20"))

    subprocess.run(
        [
            *(sys.executable, "-m", "kresnet", "report"),
            *(tmp_path / "run", f"--out={tmp_path / 'out'}"),
        ],
        env={**os.environ, "MPLBACKEND": "nonsense"},
        check=True,
    )

    assert (tmp_path / "out" / "index.html").exists()
