"""The layers before the network, as a spec names them."""

from typing import Annotated, Literal

from pydantic import Field

from kresnet.documents import Fields, Integer, Number


class PerPixelMean(Fields):
    """Subtracts the mean image of the training split.

    Reference:
        He et al. 2015, section 4.2.
    """

    layer: Literal["per_pixel_mean"] = Field(
        description="Subtracts the mean image of the training split."
    )


class ChannelMean(Fields):
    """Subtracts the mean colour of the training split.

    Reference:
        Simonyan, Zisserman 2014, section 2.1.
    """

    layer: Literal["channel_mean"] = Field(
        description="Subtracts the mean colour of the training split."
    )


class ChannelStandardize(Fields):
    """Gives each channel of the training split mean 0 and deviation 1.

    Reference:
        Gross, Wilber 2016, and most re-implementations since.
    """

    layer: Literal["channel_standardize"] = Field(
        description="Subtracts the mean colour of the training split and"
        " divides by its standard deviation."
    )


class Rescale(Fields):
    """Divides by a number."""

    layer: Literal["rescale"] = Field(description="Divides by a number.")
    divide_by: Number = Field(
        gt=0, le=65_535, description="255 brings bytes to [0, 1]."
    )


class ZCAWhitening(Fields):
    """Whitens with the covariance of the training split.

    Reference:
        Krizhevsky 2009, appendix.
    """

    layer: Literal["zca_whitening"] = Field(
        description="Whitens with the covariance of the training split."
    )
    epsilon: Number = Field(
        gt=0,
        le=1_000_000,
        description="Added to the variances, in the images' units squared.",
    )


class FancyPCA(Fields):
    """Shifts colours at random, one draw per image; training only.

    Reference:
        Krizhevsky, Sutskever, Hinton 2012, section 4.1.
    """

    layer: Literal["fancy_pca"] = Field(
        description="Shifts colours at random along the principal axes of the"
        " training split's; training only."
    )
    stddev: Number = Field(
        gt=0, le=10, description="Of the draws; 0.1 is the published one."
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
