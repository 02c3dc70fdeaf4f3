"""Documents of any kind: what their models and checks say, with its place."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from kresnet.documents import (
    SPECS,
    Expected,
    Fields,
    Integer,
    Number,
    Problem,
    apply_overrides,
    raise_problems,
    read_document,
    validated,
)
from kresnet.errors import SpecError


def legs_are_even(animal):
    if animal.legs % 2:
        yield Problem(("legs",), "must be even", also=(("name",),))


def names_differ(zoo):
    if len({animal.name for animal in zoo.animals}) < len(zoo.animals):
        yield Problem(("animals",), "must have names of their own")


class Animal(Fields):
    kind: Literal["animal"]
    name: str
    legs: Annotated[Integer, Field(ge=0, lt=1_000)]

    @model_validator(mode="after")
    def agrees(self):
        raise_problems((legs_are_even,), self)
        return self


class Plant(Fields):
    kind: Literal["plant"]
    height: Number | None = Field(default=None, gt=0, lt=200)


class Zoo(Fields):
    animals: tuple[Animal, ...]
    best: Annotated[Animal | Plant, Field(discriminator="kind")]
    food: Annotated[tuple[int, int], Expected("two numbers")] = (1, 2)

    @model_validator(mode="after")
    def agrees(self):
        raise_problems((names_differ,), self)
        return self


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """Reads a text that must be refused; returns the lines of the message."""
    monkeypatch.chdir(tmp_path)

    def read(text, *overrides, **options):
        (tmp_path / "x.yaml").write_text(text)
        document = read_document("x.yaml", SPECS)
        apply_overrides(document, overrides)
        with pytest.raises(SpecError) as caught:
            validated(document, Zoo, **options)
        return str(caught.value).splitlines()

    return read


ODD = "{kind: animal, name: a, legs: 3}"
EVEN = "{kind: animal, name: a, legs: 4}"


def test_the_checks_of_parts_keep_their_places_wherever_the_parts_are(refused):
    """In a list, and in one of several kinds, which pydantic's path names."""
    assert refused(f"animals: [{EVEN}, {ODD}]\nbest: {ODD}") == [
        "x.yaml:1:75: animals[1].legs: must be even. Received: 3",
        "x.yaml:2:37: best.legs: must be even. Received: 3",
    ]


def test_a_check_cites_the_override_that_it_is_about(refused):
    assert refused(f"animals: []\nbest: {ODD}", "best.name=b") == [
        "--set best.name=b: best.legs: must be even. Received: 3"
    ]


def test_the_whole_is_checked_when_its_parts_are_sound(refused):
    both = f"animals: [{EVEN}, {EVEN}]\nbest: "
    want = "x.yaml:1:10: animals: must have names of their own. Received: [{"

    [line] = refused(f"{both}{EVEN}")
    [other] = refused(f"{both}{ODD}")

    assert line.startswith(want)
    assert "best.legs: must be even" in other


@pytest.mark.parametrize(
    ("best", "want"),
    [
        ("{kind: plant, height: 200}", "best.height: must be a number above 0"),
        ("{kind: plant, height: 200}", "0 and below 200 or null. Received"),
        ("{kind: animal, name: a, legs: -2}", "an integer from 0 to below 1,"),
        (
            "{kind: animal, name: 3, legs: 2}",
            "must be a string, not an integer",
        ),
        ("{kind: stone}", "best.kind: must be animal or plant. Received: sto"),
        ("plant", "best: must be a mapping, not a string. Received: plant"),
        ("{kind: plant, legs: 2}", "kind plant would ignore it, kind animal"),
    ],
)
def test_what_a_field_takes_is_said_from_its_model(refused, best, want):
    [line] = refused(f"animals: []\nbest: {best}")

    assert want in line


@pytest.mark.parametrize("food", ["[1]", "[1, 2, 3]", "[]"])
def test_a_list_of_another_length_is_one_mistake(refused, food):
    assert refused(f"animals: []\nbest: {EVEN}\nfood: {food}") == [
        f"x.yaml:3:7: food: must be two numbers. Received: {food}"
    ]


def test_a_field_beside_its_misspelling_is_checked_as_well(refused):
    lines = refused("animals: []\nbest: {kind: plant, height: 0, hieght: 1}")

    assert [line.split(": ")[1] for line in lines] == [
        "best.height",
        "best.hieght",
    ]


def test_a_refused_value_is_no_reason_for_another_problem(refused):
    """A check would see what a tag says it is not."""
    assert refused(
        "animals: []\nbest: {kind: animal, name: !x a, legs: 3}"
    ) == ["x.yaml:2:28: best.name: tags (!x) are not allowed"]


def test_a_reader_may_remark_on_a_refused_value(refused):
    def remark(field, holder):
        return f"; {field} of {len(holder)}"

    [line] = refused(
        "animals: []\nbest: {kind: plant, height: 0}", remark=remark
    )

    assert "or null; height of 2. Received: 0" in line


def test_a_part_made_in_python_says_its_problems_too():
    with pytest.raises(ValidationError, match=r"legs\n +must be even"):
        Animal(kind="animal", name="a", legs=3)


def test_the_schema_has_the_words_for_editors():
    food = Zoo.model_json_schema()["properties"]["food"]

    assert food["errorMessage"] == "must be two numbers"
