"""The images of a spec: data set, split and transforms."""

from typing import Annotated, Literal

from pydantic import Field

from kresnet.documents import Expected, Fields, Integer
from kresnet.spec.transforms import Transform


class DataSpec(Fields):
    """The data set, its validation split and the transforms, in order."""

    dataset: Literal["cifar10", "digits"] = Field(
        description="Name of the data set."
    )
    validation: Integer = Field(
        ge=0,
        le=10_000_000,
        description="Training images held out for validation; may be 0.",
    )
    transforms: Annotated[
        tuple[Transform, ...], Expected("a list of transforms")
    ] = Field(
        max_length=16,
        description="Applied in this order; each at most once.",
    )
