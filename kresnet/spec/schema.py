"""A whole spec, and its JSON schema."""

from typing import Annotated

from pydantic import Field, model_validator

from kresnet.documents import Expected, Fields, Integer, raise_problems
from kresnet.spec.data import DataSpec
from kresnet.spec.data_checks import DATA_CHECKS
from kresnet.spec.expect_checks import EXPECT_CHECKS
from kresnet.spec.model import ModelSpec
from kresnet.spec.training import TrainingSpec
from kresnet.spec.training_checks import TRAINING_CHECKS

SPEC_CHECKS = (*EXPECT_CHECKS, *DATA_CHECKS, *TRAINING_CHECKS)


class Expect(Fields):
    """Counts that the network must have, checked before it is built."""

    layers: Integer = Field(
        ge=1,
        le=1_000_000,
        description="Weighted layers, 6n+2 on CIFAR-10; no projections.",
    )
    parameters: Integer = Field(
        ge=1, le=10**12, description="Trainable parameters."
    )


class Spec(Fields):
    """One experiment: a network, its data and its training.

    A spec means the same on every machine: it names no device and no path.

    Raises:
        pydantic.ValidationError: If a field is wrong or two disagree.
    """

    name: Annotated[
        str,
        Expected(
            "1 to 64 letters, digits, dots, dashes or underscores that start"
            " with a letter or digit"
        ),
    ] = Field(
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Names the run folder.",
    )
    expect: Expect | None = None
    model: ModelSpec
    data: DataSpec
    training: TrainingSpec

    @model_validator(mode="after")
    def _parts_agree(self) -> "Spec":
        raise_problems(SPEC_CHECKS, self)
        return self


def json_schema() -> dict:
    """Returns the JSON schema of a spec, for editors that check YAML."""
    schema = Spec.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "kresnet spec",
    }
