"""The layers before the network: their fields and what is known of them."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from kresnet.documents import (
    Expected,
    Fields,
    Integer,
    Number,
    Problem,
    raise_problems,
)

# The largest pixel value of RGB images, in every data set.
WHITE = 255
# kresnet.layers.zca_whitening.LARGEST, which cannot be imported without Keras.
LARGEST_WHITENED = 8_192

Shape = tuple[int, int, int]  # height, width, channels
Colour = Annotated[
    tuple[Annotated[Number, Field(ge=-1_000_000, le=1_000_000)], ...],
    Expected("a list of numbers, one a channel"),
]
Deviations = Annotated[
    tuple[Annotated[Number, Field(gt=0, le=1_000_000)], ...],
    Expected("a list of numbers above 0, one a channel"),
]


class Transform(Fields):
    """A layer before the network, and what is known of it without Keras.

    Attributes:
        layer: The name of the layer in a spec.
        draws: Whether it draws at random for each image, in training only.
        moves: Whether it moves what an image shows.
        centres: Whether images have mean zero after it.
        keeps_colours: Whether values are still colours after it.
        adapts: Whether it has statistics of the training images, unless
            constants are given in their place.
    """

    draws: ClassVar[bool] = False
    moves: ClassVar[bool] = False
    centres: ClassVar[bool] = False
    keeps_colours: ClassVar[bool] = True
    adapts: ClassVar[bool] = False
    layer: str

    @property
    def is_adapted(self) -> bool:
        """Whether its statistics are taken from the training images."""
        return self.adapts

    def order_problems(
        self, before: Sequence["Transform"]
    ) -> Iterator[Problem]:
        """Yields why it may not follow the transforms before it.

        None of them is of its own kind.
        """
        yield from ()

    def image_problems(self, image: Shape) -> Iterator[Problem]:
        """Yields why it cannot take images of a shape."""
        yield from ()


class _Mean(Transform):
    """Subtracts a mean of one kind or another."""

    centres = True
    adapts = True

    def order_problems(self, before: Sequence[Transform]) -> Iterator[Problem]:
        """Of two means that are subtracted, one changes nothing."""
        if other := _first(before, lambda t: t.centres):
            yield Problem(
                (),
                f"must not follow {other}, which has subtracted a mean already",
            )


class PerPixelMean(_Mean):
    """Subtracts the mean image of the training split.

    Reference:
        He et al. 2015, section 4.2.
    """

    layer: Literal["per_pixel_mean"] = Field(
        description="Subtracts the mean image of the training split."
    )


class _MeanColour(_Mean):
    """Subtracts a mean colour, which may be given."""

    mean: Colour | None = Field(
        default=None,
        description="A number for each channel, in the place of the training"
        " split's; null for that.",
    )

    @property
    def is_adapted(self) -> bool:
        """Whether its mean is that of the training images."""
        return self.mean is None

    def image_problems(self, image: Shape) -> Iterator[Problem]:
        """There is a number for each channel."""
        for name in ("mean", "stddev"):
            numbers = getattr(self, name, None)
            if numbers is not None and len(numbers) != image[2]:
                yield Problem(
                    (name,),
                    f"must have {image[2]} numbers, one for each channel of the"
                    " images",
                )


class ChannelMean(_MeanColour):
    """Subtracts the mean colour of the training split.

    Reference:
        Simonyan, Zisserman 2014, section 2.1.
    """

    layer: Literal["channel_mean"] = Field(
        description="Subtracts the mean colour of the training split."
    )


class ChannelStandardize(_MeanColour):
    """Gives each channel of the training split mean 0 and deviation 1.

    Reference:
        Gross, Wilber 2016, and most re-implementations since.
    """

    keeps_colours = False
    layer: Literal["channel_standardize"] = Field(
        description="Subtracts the mean colour of the training split and"
        " divides by its standard deviation."
    )
    stddev: Deviations | None = Field(
        default=None, description="Likewise the standard deviations."
    )

    @model_validator(mode="after")
    def _fields_fit(self) -> "ChannelStandardize":
        raise_problems((_both_or_none,), self)
        return self


class Rescale(Transform):
    """Divides by a number."""

    layer: Literal["rescale"] = Field(description="Divides by a number.")
    divide_by: Number = Field(
        gt=0, le=65_535, description="255 brings bytes to [0, 1]."
    )


class ZCAWhitening(Transform):
    """Whitens with the covariance of the training split.

    Reference:
        Krizhevsky 2009, appendix.
    """

    centres = True
    adapts = True
    keeps_colours = False
    layer: Literal["zca_whitening"] = Field(
        description="Whitens with the covariance of the training split."
    )
    epsilon: Number = Field(
        gt=0,
        le=1_000_000,
        description="Added to the variances, in the images' units squared.",
    )

    def order_problems(self, before: Sequence[Transform]) -> Iterator[Problem]:
        """Whitening has a filter of its own for every place of an image.

        The edge between a crop and its padding is in no training image, and
        would be amplified.
        """
        if moved := _first(before, lambda t: t.moves):
            yield Problem(
                (),
                f"must come before {moved}: its statistics are those of images"
                " that are not moved",
            )

    def image_problems(self, image: Shape) -> Iterator[Problem]:
        """The covariance has as many rows as an image has values."""
        size = math.prod(image)
        if size > LARGEST_WHITENED:
            yield Problem(
                (),
                f"must have images of at most {LARGEST_WHITENED:,} values, not"
                f" {size:,}: their covariance has as many rows and columns",
            )


class FancyPCA(Transform):
    """Shifts colours at random, one draw per image; training only.

    Reference:
        Krizhevsky, Sutskever, Hinton 2012, section 4.1.
    """

    draws = True
    adapts = True
    layer: Literal["fancy_pca"] = Field(
        description="Shifts colours at random along the principal axes of the"
        " training split's colours; training only."
    )
    stddev: Number = Field(
        gt=0,
        le=10,
        description="Standard deviation of the draws; 0.1 is the published"
        " one.",
    )

    def order_problems(self, before: Sequence[Transform]) -> Iterator[Problem]:
        """Its shift is in proportion to the square of the pixels' scale.

        With pixels up to 255 and the published deviation of 0.1 the shift
        along the first axis has a deviation of 1,102 grey levels on CIFAR-10
        (of 1,119 where no mean image is subtracted).
        """
        divided = math.prod(
            t.divide_by for t in before if isinstance(t, Rescale)
        )
        if other := _first(before, lambda t: not t.keeps_colours):
            yield Problem(
                (),
                f"must come before {other}, after which values are no colours"
                " from 0 to 1",
            )
        elif divided != WHITE:
            yield Problem(
                (),
                f"must come after {{layer: rescale, divide_by: {WHITE}}}: its"
                " shift grows with the square of the pixels' scale, and stddev"
                " is meant for colours from 0 to 1",
            )

    def image_problems(self, image: Shape) -> Iterator[Problem]:
        """Colours have three channels."""
        if image[2] != 3:
            yield Problem(
                (),
                "must have images of 3 channels, red, green and blue, not"
                f" {image[2]}",
            )


class RandomCrop(Transform):
    """Pads with zeros and crops at random, one draw per image; training only.

    Reference:
        He et al. 2015, section 4.2: 4 pixels on each side.
    """

    draws = True
    moves = True
    layer: Literal["random_crop"] = Field(
        description="Pads with zeros, then crops at random; training only."
    )
    padding: Integer = Field(
        ge=1, le=512, description="Pixels added on each side."
    )

    def image_problems(self, image: Shape) -> Iterator[Problem]:
        """A crop that is all padding shows nothing."""
        side = min(image[:2])
        if self.padding >= side:
            yield Problem(
                ("padding",),
                f"must be below {side}, the shorter side of the input, or a"
                " crop could be all padding",
            )


class RandomFlip(Transform):
    """Mirrors left and right half of the time; training only.

    Reference:
        He et al. 2015, section 4.2.
    """

    draws = True
    moves = True
    layer: Literal["random_flip"] = Field(
        description="Mirrors left and right half of the time; training only."
    )


def _both_or_none(transform: ChannelStandardize) -> Iterator[Problem]:
    """Of given numbers, means and deviations belong together."""
    names = ("mean", "stddev")
    for name, other in (names, names[::-1]):
        if getattr(transform, name) is None and getattr(transform, other):
            yield Problem(
                (name,),
                f"missing; must be given where {other} is",
                also=((other,),),
                received=False,
            )


AnyTransform = Annotated[
    PerPixelMean
    | ChannelMean
    | ChannelStandardize
    | Rescale
    | ZCAWhitening
    | FancyPCA
    | RandomCrop
    | RandomFlip,
    Field(discriminator="layer"),
]


def _first(
    transforms: Sequence[Transform], of_sort: Callable[[Transform], bool]
) -> str:
    """Names the first transform of a sort; empty if there is none."""
    for i, transform in enumerate(transforms):
        if of_sort(transform):
            return f"{transform.layer}, transforms[{i}]"
    return ""
