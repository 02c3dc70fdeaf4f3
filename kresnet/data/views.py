"""Views of images of any size: a box of the image, and the size it gets.

A box lies in the pixels of the original and need not be of whole pixels. There
is no image of intermediate size whose longer side is rounded, and which is then
cut: that moves the probabilities of a trained network by up to 0.08.

A training view is drawn from the image's key alone, with numbers that every
machine computes alike.
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from kresnet.spec import TestView, TrainView

_TRIES = 10


class Box(NamedTuple):
    """A part of an image, in its pixels: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def scaled(self, across: float, down: float) -> "Box":
        """The box in the image's pixels after it was resized."""
        left, top, right, bottom = self
        return Box(left * across, top * down, right * across, bottom * down)


def uniform(key: int, number: int) -> float:
    """One of a key's random numbers, from 0 to below 1.

    Args:
        key: From 0 to 2**64 - 1.
        number: Which of them, from 0.

    Reference:
        Steele, Lea, Flood 2014: SplitMix64 with the key as its seed.
    """
    z = (key + (number + 1) * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return ((z ^ z >> 31) >> 11) / 2**53


def train_box(
    view: TrainView, image: tuple[int, int], out: tuple[int, int], key: int
) -> Box:
    """The box that a key draws.

    Args:
        view: Says what is drawn.
        image: Width and height of the image.
        out: Width and height that the box will get.
        key: From 0 to 2**64 - 1.
    """
    if view.shorter_side is None:
        return _area_box(view, image, key)
    low, high = view.shorter_side
    side = low + int(uniform(key, 0) * (high - low + 1))
    width, height = _size_at(side, image, out)
    left = uniform(key, 1) * (image[0] - width)
    top = uniform(key, 2) * (image[1] - height)
    return Box(left, top, left + width, top + height)


def test_box(
    view: TestView, image: tuple[int, int], out: tuple[int, int]
) -> Box:
    """The box of the test view; arguments are those of `train_box`."""
    return centre(image, *_size_at(view.shorter_side, image, out))


test_box.__test__ = False  # type: ignore[attr-defined] # for pytest


def centre(image: tuple[int, int], width: float, height: float) -> Box:
    """The box of a size in the centre of an image."""
    left, top = (image[0] - width) / 2, (image[1] - height) / 2
    return Box(left, top, left + width, top + height)


def _size_at(side, image, out):
    """What an output covers of an image whose shorter side is resized."""
    scale = min(image) / side
    return out[0] * scale, out[1] * scale


def _area_box(view, image, key):
    """Ten tries, then the largest square in the centre.

    The box is of whole pixels, so that the last bit of an exponential, which
    libraries round differently, decides nothing.
    """
    width, height = image
    (smallest, largest), (flat, wide) = view.area, view.aspect
    for number in range(0, 4 * _TRIES, 4):
        draw, shape, across, down = (uniform(key, number + i) for i in range(4))
        area = width * height * (smallest + (largest - smallest) * draw)
        aspect = flat * math.exp(math.log(wide / flat) * shape)
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left = int(across * (width - w + 1))
            top = int(down * (height - h + 1))
            return Box(left, top, left + w, top + h)
    side = min(image)
    left, top = (width - side) // 2, (height - side) // 2
    return Box(left, top, left + side, top + side)


def resized(image: Image.Image, box: Box, out: tuple[int, int]) -> np.ndarray:
    """A box of an image, resized with an antialiased triangle filter.

    The horizontal pass is first, then the vertical one, each rounded to bytes.
    Of one call Pillow 13.0 does the vertical pass first for tall images, and
    12.3 does not: the bytes would depend on the version.

    Args:
        image: RGB or grey.
        box: May reach its edges, but not beyond.
        out: Width and height of the result.

    Returns:
        uint8, shape `(height, width)`, and `3` for RGB.
    """
    # Rounding may have put an edge a hair outside.
    left, top = max(box.left, 0), max(box.top, 0)
    right, bottom = min(box.right, image.width), min(box.bottom, image.height)
    # The triangle reaches as far beyond the box.
    margin = max((bottom - top) / out[1], 1) + 1
    first = max(0, math.floor(top - margin))
    last = min(image.height, math.ceil(bottom + margin))
    rows = image.crop((0, first, image.width, last))
    across = rows.resize(
        (out[0], rows.height),
        Image.Resampling.BILINEAR,
        box=(left, 0, right, rows.height),
    )
    both = across.resize(
        out,
        Image.Resampling.BILINEAR,
        box=(0, top - first, out[0], bottom - first),
    )
    return np.asarray(both)
