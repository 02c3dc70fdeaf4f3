"""The images of a spec: data set, split and transforms."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from kresnet.spec.fields import Expected, Fields, Integer
from kresnet.spec.transforms import Transform


class DatasetFacts(NamedTuple):
    """What the checks need to know about a data set.

    Attributes:
        input: Height, width and channels of an image.
        classes: Number of classes.
        train: Number of training images, the validation split included.
        test: Number of test images.
    """

    input: tuple[int, int, int]
    classes: int
    train: int
    test: int


# cifar10: Krizhevsky 2009. digits: scikit-learn's 1,797 scanned digits, of
# which the last 360 are for testing.
DATASETS = {
    "cifar10": DatasetFacts((32, 32, 3), 10, 50_000, 10_000),
    "digits": DatasetFacts((8, 8, 1), 10, 1_437, 360),
}


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
