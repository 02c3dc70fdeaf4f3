"""What makes two runs one experiment."""

import pytest

from kresnet.records.identity import Beginning, Identity
from kresnet.spec import load_spec

SPEC = load_spec("plain32")
SHALLOW = Identity.of(load_spec("plain20"), 0, "cifar")
BEGUN = Beginning(source=SHALLOW, weights="a" * 64)
ONE = Identity.of(SPEC, 0, "cifar", beginning=BEGUN)


def changed(**fields):
    return ONE.model_copy(update=fields)


def test_an_experiment_does_not_differ_from_itself():
    assert ONE.differences(ONE) == []
    read = Identity.model_validate_json(ONE.model_dump_json())
    assert read.differences(ONE) == []
    assert read.digest == ONE.digest


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (changed(seed=1), "seed: 0 -> 1"),
        (changed(data="digits"), "data: cifar -> digits"),
        (changed(precision="bfloat16"), "precision: float32 -> bfloat16"),
        (
            changed(beginning=None),
            "begins with (--deepen, --begin-with): weights aaaaaaaaaaaa… ->"
            " none",
        ),
        (
            changed(beginning=Beginning(source=SHALLOW, weights="b" * 64)),
            "begins with (--deepen, --begin-with): weights aaaaaaaaaaaa… ->"
            " weights bbbbbbbbbbbb…",
        ),
        (
            changed(
                beginning=Beginning(
                    source=SHALLOW.model_copy(update={"seed": 1})
                )
            ),
            "begins with (--deepen, --begin-with): seed: 0 -> 1",
        ),
    ],
)
def test_what_differs_is_named_and_makes_another_digest(other, line):
    assert ONE.differences(other) == [line]
    assert other.differences(ONE) != []
    assert other.digest != ONE.digest


def test_fields_of_a_spec_are_named_but_those_that_may_change():
    fields = ["training.momentum=0.8", "training.evaluate_every=7"]
    other = Identity.of(load_spec("plain32", fields), 0, beginning=BEGUN)
    read = Identity.model_validate_json(other.model_dump_json())
    often = load_spec("plain32", fields[1:])

    assert ONE.differences(other) == ["training.momentum: 0.9 -> 0.8"]
    (line,) = ONE.differences(read)
    assert line.startswith("the spec")
    assert ONE.differences(Identity.of(often, 0, beginning=BEGUN)) == []


def test_what_is_not_known_is_not_compared():
    for unknown in (
        changed(data=None),
        changed(seed=None),
        changed(beginning=Beginning(source=SHALLOW)),
    ):
        assert ONE.differences(unknown) == unknown.differences(ONE) == []


def test_runs_of_other_seeds_are_averaged_also_from_sources_of_their_own():
    source = SHALLOW.model_copy(update={"seed": 1})
    begun = Beginning(source=source, weights="b" * 64)
    other = changed(seed=1, beginning=begun)

    assert ONE.of_any_seed.differences(other) == []
    for different in (
        changed(beginning=None),
        changed(beginning=Beginning(source=ONE)),
    ):
        assert ONE.of_any_seed.differences(different) != []


def test_a_field_that_has_its_default_is_no_part_of_the_digest():
    """So one that is added later changes nobody's."""

    class Later(Identity):
        sampling: str = "uniform"

    plain = {"recipe": "x", "seed": 0, "data": "y"}
    assert Later(**plain).digest == Identity(**plain).digest
    assert Later(**plain, sampling="o").digest != Identity(**plain).digest


def test_records_are_read_without_keras_and_numpy(heavy_imports):
    rooms = ("evaluation", "identity", "run", "study")
    program = ";".join(f"import kresnet.records.{name}" for name in rooms)

    assert heavy_imports(program) == set()
