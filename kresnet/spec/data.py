"""The images of a spec: data set, split and transforms."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from kresnet.spec.fields import Expected, Fields, Integer


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


class PerPixelMean(Fields):
    """Subtracts the mean image of the training split.

    Reference:
        He et al. 2015, section 4.2.
    """

    layer: Literal["per_pixel_mean"] = Field(
        description="Subtracts the mean image of the training split."
    )


class RandomCrop(Fields):
    """Pads with zeros and crops at random, one draw per image; training only.

    Reference:
        He et al. 2015, section 4.2: 4 pixels on each side.
    """

    layer: Literal["random_crop"] = Field(
        description="Pads with zeros, then crops at random; training only."
    )
    padding: Integer = Field(
        ge=1, le=512, description="Pixels added on each side."
    )


class RandomFlip(Fields):
    """Mirrors left and right half of the time; training only.

    Reference:
        He et al. 2015, section 4.2.
    """

    layer: Literal["random_flip"] = Field(
        description="Mirrors left and right half of the time; training only."
    )


Transform = Annotated[
    PerPixelMean | RandomCrop | RandomFlip, Field(discriminator="layer")
]


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
