"""Reading YAML safely, with places, and every mistake of a file at once."""

import gc
import time
from importlib import resources
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kresnet.documents import plain_scalar, yaml_reader
from kresnet.errors import InputMissingError, SpecError
from kresnet.records.run import read_recorded_run
from kresnet.spec import (
    Spec,
    TrainingSpec,
    differing_fields,
    dump_spec,
    json_schema,
    load_spec,
    recipe_digest,
    spec_digest,
)

RESULTS = Path(__file__).parent.parent / "results"
TEXT = (resources.files("kresnet.specs") / "plain56.yaml").read_text(
    encoding="utf-8"
)


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Loads a text that must be refused; returns the lines of the message."""
    monkeypatch.chdir(tmp_path)

    def load(text):
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "x.yaml").write_bytes(content)
        with pytest.raises(SpecError) as caught:
            load_spec("x.yaml")
        return str(caught.value).splitlines()

    return load


def test_numbers_are_read_as_in_yaml_1_2():
    assert plain_scalar("1e-4") == 1e-4
    assert plain_scalar("-3") == -3
    assert plain_scalar(".5") == 0.5
    assert plain_scalar("1e400") == float("inf")
    assert plain_scalar("-.inf") == float("-inf")
    for text in ("016", "12:30", "no", "yes", "0x10", "1_000", "1e", "on"):
        assert plain_scalar(text) == text


@given(st.floats(allow_nan=False) | st.integers(-(10**20), 10**20))
@settings(max_examples=50, deadline=None)
def test_a_number_is_read_back_as_it_is_written(number):
    read = plain_scalar(repr(number).replace("inf", ".inf"))

    assert read == number
    assert type(read) is type(number)


def test_a_spec_is_frozen_and_its_numbers_are_numbers():
    spec = load_spec("plain56")

    assert spec.training.weight_decay == 1e-4
    assert spec.training.learning_rate.divide_by == 10.0
    with pytest.raises(ValueError, match="frozen"):
        spec.training.momentum = 0.5


def test_an_integer_will_do_for_a_number(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(TEXT.replace("weight_decay: 1e-4", "weight_decay: 0"))

    assert load_spec(file).training.weight_decay == 0.0


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())

    assert load_spec(file) == load_spec("plain56")


def test_spaces_and_unicode_in_a_path_are_accepted(tmp_path):
    folder = tmp_path / "größe 数"
    folder.mkdir()
    file = folder / "a b.yaml"
    file.write_text(TEXT, encoding="utf-8")

    assert load_spec(file).name == "plain56"


def test_every_mistake_is_reported_at_once_and_in_order(refused):
    """Bounds and a misspelt field; the sum waits until the stages are sound."""
    wrong = TEXT.replace("blocks: 9, width: 16", "blocks: 8, width: 16")
    wrong = wrong.replace("width: 32, stride: 2", "width: 32, stride: 3")
    wrong = wrong.replace("width: 64", "widht: 64")

    assert refused(wrong) == [
        "x.yaml:11:52: model.stages[1].stride: must be 1 or 2. Received: 3",
        "x.yaml:12:33: model.stages[2].widht: unknown field; did you mean"
        " width?",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: [\n", "x.yaml:2:1: not YAML: "),
        ("a:\n\tb: 1\n", "x.yaml:2:1: not YAML: a tab; indent with spaces"),
        ("a: b: c\n", "x.yaml:1:5: not YAML: "),
        ("a: 1\nb: 'x\n", "x.yaml:3:1: not YAML: "),
        ("", "x.yaml:1:1: expected a mapping of fields. Received: nothing"),
        (
            "# x\n",
            "x.yaml:1:1: expected a mapping of fields. Received: nothing",
        ),
        ("[1]", "x.yaml:1:1: expected a mapping of fields. Received: [1]"),
        (
            "plain56",
            "x.yaml:1:1: expected a mapping of fields. Received: plain",
        ),
        ("---\na: 1\n---\nb: 1\n", "x.yaml:3:1: a second document"),
        (b"name: caf\xe9\n", "x.yaml:1:10: not UTF-8 text"),
        ("name: x".encode("utf-16"), "x.yaml:1:1: not UTF-8 text"),
        ("name: a\0b", "x.yaml:1:8: not YAML: character U+0000"),
        ("name: x\nb: \x1b[31m", "x.yaml:2:4: not YAML: character U+001B"),
        ("#" * 70_000, "x.yaml: larger than 64 KiB, which no spec is"),
        ("[" * 900, "x.yaml:1:22: nested deeper than 20 levels"),
        ("{a: " * 15_000, "x.yaml:1:82: nested deeper than 20 levels"),
        ("- " * 30_000, "x.yaml:1:43: nested deeper than 20 levels"),
        ("[" + "1," * 30_000 + "]", "x.yaml:1:4000: more than 2,000 values"),
    ],
)
def test_a_file_that_is_not_a_spec_is_refused_with_its_place(
    refused, text, line
):
    [only] = refused(text)

    assert only.startswith(line)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "[32, 32, 3]",
            "&a [32, 32, 3]",
            "7:10: model.input: anchors (&a) are",
        ),
        (
            "[32, 32, 3]",
            "*a",
            "7:10: model.input: aliases (*a) are not allowed",
        ),
        ("[32, 32, 3]", "!!set {a, b}", "7:10: model.input: tags ("),
        (
            "  classes",
            "  <<: {a: 1}\n  classes",
            "13:3: model: merge keys (<<)",
        ),
        (
            "  classes",
            "  5: 1\n  classes",
            "13:3: model: a key must be a string",
        ),
        (
            "  classes",
            "  [a]: 1\n  classes",
            "13:3: model: a key must be a str",
        ),
        (
            "  classes",
            "  classes: 9\n  classes",
            "14:3: model: duplicate key classes, on lines 13 and 14",
        ),
        ("# Plain-56", "%YAML 1.1\n---\n#", "1:1: YAML directives are not"),
        ("plain56", "9" * 200, "3:7: name: a number of 200 digits"),
    ],
)
def test_yaml_that_a_spec_does_not_need_is_refused(refused, old, new, line):
    lines = refused(TEXT.replace(old, new, 1))

    assert any(each.startswith(f"x.yaml:{line}") for each in lines), lines


def test_brackets_that_the_parser_itself_refuses_are_nested_too_deep(refused):
    """It reads ahead, and stops at a thousand levels in some versions."""
    [only] = refused("[" * 60_000)

    assert only.endswith(": nested deeper than 20 levels")


HOSTILE = {
    "many anchors": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n" * 100,
    "merge keys": "a: &a {x: 1}\n" + "b:\n  <<: [*a, *a, *a]\n" * 500,
    "equal keys": "a: 1\n" * 13_000,
    "near names": "".join(f"name{i}: 1\n" for i in range(950)),
    "long key": "? " + "n" * 60_000 + "\n: 1",
    "long number": "name: " + "9" * 65_000,
    "long fraction": "name: 0." + "9" * 65_000,
    "brackets": "[" * 65_000,
    "colons": ":" * 65_000,
    "question marks": "? " * 32_000,
    "escapes": '"' + "\\x41" * 15_000 + '"',
    "documents": "---\n" * 16_000,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_costs_little(refused, case):
    """In this thread alone, and without what tests before it left behind."""
    gc.disable()
    try:
        start = time.thread_time()
        lines = refused(HOSTILE[case])
        spent = time.thread_time() - start
    finally:
        gc.enable()

    assert spent < 0.2
    assert all(len(line) < 400 for line in lines)


def test_pythons_own_yaml_parser_finds_the_same_mistakes(refused, monkeypatch):
    """PyYAML may have been built without its C library."""
    wrong = TEXT.replace("width: 64", "widht: *a").replace("10\n", "'10'\n")
    fast = refused(wrong)

    monkeypatch.setattr(yaml_reader, "_Loader", yaml.SafeLoader)

    assert refused(wrong) == fast


def test_what_a_message_shows_cannot_write_to_the_terminal(refused):
    lines = refused('"a\\e[31m\\u202e": 1\nname: "\\e]0;x\\a"')

    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.yaml", "No such file"),
        ("folder", "Is a directory"),
        ("no\0name.yaml", "null byte"),
        ("n" * 5_000 + ".yaml", "name too long"),
        ("folder/plain56", "No such file"),
        ("plian56", "no shipped spec of this name; did you mean plain56?"),
    ],
)
def test_a_missing_file_says_what_is_missing(
    tmp_path, monkeypatch, name, reason
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()

    with pytest.raises(InputMissingError, match=r".+") as caught:
        load_spec(name)

    assert reason in str(caught.value)


def test_a_file_comes_before_a_shipped_spec_and_a_folder_after(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain56").mkdir()
    assert load_spec("plain56").name == "plain56"

    (tmp_path / "plain20").write_text(TEXT.replace("plain56", "mine"))
    assert load_spec("plain20").name == "mine"


@pytest.mark.parametrize("name", ["1e4", "123", "null", "no", "a"])
def test_a_name_that_looks_like_something_else_survives(tmp_path, name):
    """Such a name must be quoted, or it would be read as a number."""
    file = tmp_path / "x.yaml"
    spec = load_spec("plain56").model_copy(update={"name": name})

    file.write_text(dump_spec(spec))

    assert load_spec(file) == spec


def test_the_digest_depends_on_every_field_but_expect():
    spec = load_spec("plain56")
    without = spec.model_copy(update={"expect": None})
    renamed = spec.model_copy(update={"name": "other"})
    longer = load_spec("plain56", ["training.iterations=65000"])

    assert spec_digest(without) == spec_digest(spec)
    assert spec_digest(renamed) != spec_digest(spec)
    assert spec_digest(longer) != spec_digest(spec)
    assert len(bytes.fromhex(spec_digest(spec))) == 32


class LaterTraining(TrainingSpec):
    """A training with a field that today's specs do not know."""

    cosine: bool = False


class LaterSpec(Spec):
    training: LaterTraining


def test_a_field_that_is_added_later_changes_no_digest():
    spec = load_spec("resnet110")
    fields = spec.model_dump()
    later = LaterSpec.model_validate(fields)
    fields["training"]["cosine"] = True
    used = LaterSpec.model_validate(fields)

    assert spec_digest(later) == spec_digest(spec)
    assert recipe_digest(later) == recipe_digest(spec)
    assert len({spec_digest(used), spec_digest(spec)}) == 2


@pytest.mark.parametrize(
    "run", sorted(RESULTS.rglob("run.json")), ids=lambda run: str(run.parent)
)
def test_every_recorded_run_has_the_digest_of_its_spec(run):
    found = read_recorded_run(run.parent)

    assert found.record.identity.recipe == recipe_digest(found.spec)
    assert found.record.name == found.spec.name
    if deepened := found.record.deepened:
        source = read_recorded_run(RESULTS / "studies" / deepened.run)
        began = found.identity.beginning.source
        assert began.differences(source.identity) == []


def test_how_often_to_evaluate_is_no_part_of_the_recipe():
    """No weight depends on it, and on every other field of a training."""
    spec = load_spec("plain56")

    for change in ("evaluate_every=50", "momentum=0.8", "decay_biases=true"):
        changed = load_spec("plain56", [f"training.{change}"])
        assert spec_digest(changed) != spec_digest(spec)
        same = recipe_digest(changed) == recipe_digest(spec)
        assert same == change.startswith("evaluate_every")


def test_the_digest_does_not_depend_on_how_a_number_is_written(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(
        TEXT.replace("1e-4", "0.0001").replace("by: 10", "by: 10.0")
    )

    assert spec_digest(load_spec(file)) == spec_digest(load_spec("plain56"))


def test_differing_fields_are_named_with_both_values():
    old = load_spec("resnet20")
    new = load_spec(
        "resnet20",
        [
            "training.batch_size=64",
            "training.learning_rate.at=[750]",
            "model.stages[1].blocks=4",
            "data.transforms=[{layer: per_pixel_mean}]",
            "training.warm_up.limit=500",
        ],
    )

    assert differing_fields(old, old) == []
    assert differing_fields(old, new) == [
        "model.stages[1].blocks: 3 -> 4",
        'data.transforms[1]: {"layer": "random_crop", "padding": 4}'
        " -> (absent)",
        'data.transforms[2]: {"layer": "random_flip"} -> (absent)',
        "training.batch_size: 128 -> 64",
        "training.learning_rate.at: [32000, 48000] -> [750]",
        'training.warm_up: null -> {"learning_rate": 0.01,'
        ' "until_training_error": 80.0, "over": 50, "limit": 500}',
    ]


def test_the_json_schema_says_what_every_field_takes():
    schema = json_schema()

    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "model", "data", "training"]
    momentum = schema["$defs"]["TrainingSpec"]["properties"]["momentum"]
    assert momentum["minimum"] == 0
    assert momentum["exclusiveMaximum"] == 1
    for model in schema["$defs"].values():
        assert model["additionalProperties"] is False
        for field in model["properties"].values():
            assert "description" in field or "$ref" in field


def test_a_spec_made_in_python_is_checked_too():
    fields = load_spec("resnet20").model_dump()
    fields["model"]["stages"][2]["width"] = 8

    with pytest.raises(ValueError, match="shortcut A pads with zero channels"):
        Spec(**fields)


def test_reading_a_spec_imports_no_keras_and_no_numpy(heavy_imports):
    found = heavy_imports(
        "import kresnet.spec, kresnet.architecture, kresnet.cli;"
        "kresnet.spec.load_spec('resnet20')"
    )

    assert found == set()
