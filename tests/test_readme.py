"""The README's examples run, and its tables are complete."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from kresnet import cli, errors
from kresnet.architecture import STAGES
from kresnet.cli import run
from kresnet.evaluation.views import KINDS
from kresnet.network.transforms import TRANSFORMS
from kresnet.spec import Spec, json_schema, load_spec, shipped_specs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = typer.main.get_command(cli.app).commands
CHEAP = ("check", "schema", "show", "specs")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.M | re.S)[1]


def first_column(text):
    """The names in the first column of a table, without Markdown."""
    rows = re.findall(r"^\| *(.*?) *\|", text, re.M)
    return [name for row in rows[2:] for name in re.findall(r"`([^`]+)`", row)]


def command_lines():
    """Arguments of every `kresnet …` in a shell block or in running text."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    running = re.sub(r"^```.*?^```$", "", README, flags=re.M | re.S)
    lines += re.findall(r"`(kresnet [^`]+)`", running)
    for line in lines:
        for part in line.split("&&"):
            words = shlex.split(part.split(" > ")[0])
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)
            if words and words[0].removeprefix(".venv/bin/") == "kresnet":
                yield tuple(words[1:])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder that holds the README's own spec."""
    (tmp_path / "wide14.yaml").write_text(blocks("yaml")[0], "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_spec_is_valid_and_its_counts_are_exact(folder):
    spec = load_spec("wide14.yaml")

    assert spec.expect is not None
    assert load_spec("wide14.yaml", ["expect=null"]).model == spec.model


@pytest.mark.parametrize("words", sorted(set(command_lines())), ids=shlex.join)
def test_every_command_exists_with_its_options(words, folder, capsys):
    name, *arguments = words

    COMMANDS[name].make_context(name, list(arguments))

    if name in CHEAP:
        assert run(cli.app, words) == 0, capsys.readouterr().err


def test_every_command_is_mentioned():
    assert {words[0] for words in command_lines()} == set(COMMANDS)


def test_the_python_examples_run_in_order(tmp_path):
    program = tmp_path / "readme.py"
    program.write_text("\n".join(blocks("python")), "utf-8")

    ran = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr
    assert 0 <= float(ran.stdout.splitlines()[0]) < 100


def test_the_table_of_fields_has_every_field():
    named = first_column(section("Specs").split("| `block` |")[0])
    model = Spec.model_fields["model"].annotation.model_fields
    data = Spec.model_fields["data"].annotation.model_fields
    training = Spec.model_fields["training"].annotation.model_fields
    parts = {"training": training, "model": model, "data": data}
    found = {name.split(".")[-1] for name in named}

    for part, fields in parts.items():
        assert set(fields) <= found, part
    assert found == {
        *(name for fields in parts.values() for name in fields),
        *set(Spec.model_fields) - set(parts),
    }


def test_the_table_of_blocks_has_all_and_their_fields():
    text = section("Specs").split("### Blocks")[1].split("Transforms are")[0]
    named = set(re.findall(r"`(\w+)", text))

    assert re.findall(r"^\| `(\w+)` \| [^f]", text, re.M) == [
        stage.model_fields["block"].annotation.__args__[0] for stage in STAGES
    ]
    for stage in STAGES:
        assert set(stage.model_fields) <= named, stage


def test_the_table_of_transforms_has_all_and_their_arguments():
    table = section("Specs")[section("Specs").index("| transform |") :]
    schema = json_schema()["$defs"]

    for line in re.findall(r"^\| `.*", table, re.M):
        words = re.findall(r"`(\w+)`", line)
        [fields] = [
            set(model["properties"])
            for model in schema.values()
            if model["properties"].get("layer", {}).get("const") == words[0]
        ]
        assert set(words[1:]) >= fields - {"layer"}, words[0]
    assert first_column(table) == list(TRANSFORMS)


def test_the_table_of_views_has_all_of_them():
    text = section("Using a trained network").split("| `--view` |")[1]

    assert re.findall(r"^\| `([\w-]+)` \|", text, re.M) == [*KINDS]


def test_the_table_of_exit_codes_is_that_of_the_errors():
    table = re.findall(r"^\| (\d+) \| (.*) \|$", section("Runs"), re.M)
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.KresnetError)
    }

    assert {int(code) for code, _ in table} == codes | {0, 130, 143}
    assert re.findall(r"^ +(\d+)  (.*)$", cli.EXIT_CODES, re.M) == table


def test_the_table_of_files_has_everything_in_a_run_folder(digits_run):
    table = section("Runs").split("| exit code |")[0]
    named = {name.rstrip("/") for name in first_column(table)}

    there = {path.name for path in digits_run.iterdir() if path.name[0] != "."}
    assert there <= named


def test_what_is_linked_or_named_is_there():
    for path in re.findall(r"\]\(([^):]+)\)", README):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`((?:kresnet|tests)/[^`]*)`", README):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`((?:plain|resnet)\d[^`]*)`", README):
        assert name in shipped_specs()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for extra in re.findall(r'"\.\[(.+?)\]"', README):
        assert extra in project["project"]["optional-dependencies"]


def test_no_line_of_prose_is_longer_than_the_code_may_be():
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.M | re.S)
    prose = re.sub(r"^\|.*$", "", prose, flags=re.M)

    assert max(map(len, prose.splitlines())) <= 80
