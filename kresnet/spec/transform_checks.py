"""Which transforms go together, and in which order.

A check is a generator of problems over a `Spec`.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.documents import Path, Problem

if TYPE_CHECKING:
    from kresnet.spec.spec import Spec

INPUT = ("model", "input")
# Each of them subtracts a mean, of one kind or another.
MEANS = ("per_pixel_mean", "channel_mean", "channel_standardize")
# After them values are no longer colours in the units of the pixels.
NOT_COLOURS = ("channel_standardize", "zca_whitening")
MOVES = ("random_crop", "random_flip")
# The largest pixel value of RGB images, in every data set.
WHITE = 255
# kresnet.layers.zca_whitening.LARGEST, which cannot be imported without Keras.
LARGEST_WHITENED = 8_192


def transforms_are_distinct(spec: "Spec") -> Iterator[Problem]:
    """A transform twice is a mistake, and its draws would be the same."""
    first: dict[str, int] = {}
    for i, transform in enumerate(spec.data.transforms):
        name = transform.layer
        if name in first:
            yield Problem(
                _path(i),
                f"must not repeat {name}, which is transforms[{first[name]}]",
            )
        first.setdefault(name, i)


def means_are_subtracted_once(spec: "Spec") -> Iterator[Problem]:
    """Of two means that are subtracted, one changes nothing."""
    before: tuple[int, str] | None = None
    for i, transform in enumerate(spec.data.transforms):
        name = transform.layer
        if name in MEANS and before and before[1] != name:
            yield Problem(
                _path(i),
                f"must not follow {before[1]}, transforms[{before[0]}], which"
                " has subtracted a mean already",
            )
        if name in (*MEANS, "zca_whitening"):
            before = before or (i, name)


def whitening_sees_images_in_place(spec: "Spec") -> Iterator[Problem]:
    """Whitening has a filter of its own for every place of an image.

    The edge between a crop and its padding is in no training image, and would
    be amplified.
    """
    moved: tuple[int, str] | None = None
    for i, transform in enumerate(spec.data.transforms):
        name = transform.layer
        if name == "zca_whitening" and moved:
            yield Problem(
                _path(i),
                f"must come before {moved[1]}, transforms[{moved[0]}]: its"
                " statistics are those of images that are not moved",
            )
        if name in MOVES:
            moved = moved or (i, name)


def whitening_fits_the_images(spec: "Spec") -> Iterator[Problem]:
    """The covariance has as many rows as an image has values."""
    for i, transform in enumerate(spec.data.transforms):
        if transform.layer != "zca_whitening":
            continue
        size = math.prod(spec.model.input)
        if size > LARGEST_WHITENED:
            yield Problem(
                _path(i),
                f"must have images of at most {LARGEST_WHITENED:,} values, not"
                f" {size:,}: their covariance has as many rows and columns",
                also=(INPUT,),
            )


def fancy_pca_sees_colours(spec: "Spec") -> Iterator[Problem]:
    """Its shift is in proportion to the square of the pixels' scale.

    With pixels up to 255 and the published deviation of 0.1 the shift along
    the first axis has a deviation of 1,102 grey levels on CIFAR-10 (of 1,119
    where no mean image is subtracted).
    """
    divided = 1.0
    other: tuple[int, str] | None = None
    for i, transform in enumerate(spec.data.transforms):
        name = transform.layer
        if name == "rescale":
            divided *= transform.divide_by
        if name in NOT_COLOURS:
            other = other or (i, name)
        if name != "fancy_pca":
            continue
        if spec.model.input[2] != 3:
            yield Problem(
                _path(i),
                "must have images of 3 channels, red, green and blue, not"
                f" {spec.model.input[2]}",
                also=(INPUT,),
            )
        elif other:
            yield Problem(
                _path(i),
                f"must come before {other[1]}, transforms[{other[0]}], after"
                " which values are no colours from 0 to 1",
            )
        elif divided != WHITE:
            yield Problem(
                _path(i),
                f"must come after {{layer: rescale, divide_by: {WHITE}}}: its"
                " shift grows with the square of the pixels' scale, and stddev"
                " is meant for colours from 0 to 1",
            )


def crops_show_the_image(spec: "Spec") -> Iterator[Problem]:
    """A crop that is all padding shows nothing."""
    for i, transform in enumerate(spec.data.transforms):
        if transform.layer != "random_crop":
            continue
        side = min(spec.model.input[:2])
        if transform.padding >= side:
            yield Problem(
                (*_path(i), "padding"),
                f"must be below {side}, the shorter side of the input, or a"
                " crop could be all padding",
                also=(INPUT,),
            )


def _path(i: int) -> Path:
    return ("data", "transforms", i)


TRANSFORM_CHECKS = (
    transforms_are_distinct,
    means_are_subtracted_once,
    whitening_sees_images_in_place,
    whitening_fits_the_images,
    fancy_pca_sees_colours,
    crops_show_the_image,
)
