"""Views: one box in an image's own pixels, resized to one size.

There is no image of intermediate size, whose longer side would be rounded and
which would be cut at whole pixels: that alone moves probabilities.
"""

import math

from PIL import Image

from kresnet.spec import TestView, TrainView

Box = tuple[float, float, float, float]  # left, top, right, bottom
Size = tuple[int, int]  # width, height

_MASK = 2**64 - 1
# Boxes of an area and an aspect that are drawn before the centre is taken.
_TRIES = 10


def draw(key: int, stream: int) -> float:
    """A number in [0, 1), from the output number `stream` of SplitMix64.

    The key, from 0 to 2**64 - 1, is the generator's seed. Other streams, from
    0, are independent draws.

    Reference:
        G. Steele, D. Lea, C. Flood 2014, "Fast Splittable Pseudorandom Number
        Generators".
    """
    return (split_mix(key, stream) >> 11) / 2**53


def split_mix(key: int, stream: int) -> int:
    """The 64 bits of `draw`."""
    x = key + (stream + 1) * 0x9E3779B97F4A7C15 & _MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _MASK
    return x ^ x >> 31


def test_box(view: TestView, image: Size, output: Size) -> Box:
    """The box of the test view, in the centre."""
    return crop_box(view.shorter_side, image, output)


test_box.__test__ = False  # type: ignore[attr-defined]


def crop_box(
    shorter_side: int,
    image: Size,
    output: Size,
    across: float = 0.5,
    down: float = 0.5,
) -> Box:
    """The box of a crop of an image that is resized.

    Args:
        shorter_side: The length that the image's shorter side is resized to.
        image: Width and height of the image as it is.
        output: Width and height of the crop.
        across: From 0, at the left edge, to 1, at the right one.
        down: From 0, at the top, to 1, at the bottom.
    """
    scale = min(image) / shorter_side
    width, height = output[0] * scale, output[1] * scale
    left, top = across * (image[0] - width), down * (image[1] - height)
    return left, top, left + width, top + height


def whole_size(shorter_side: int, image: Size) -> Size:
    """The size of a whole image that is resized, in whole pixels."""
    scale = shorter_side / min(image)
    return round(image[0] * scale), round(image[1] * scale)


def train_box(view: TrainView, image: Size, output: Size, key: int) -> Box:
    """The box that is drawn for an image by its key, and by nothing else."""
    if view.shorter_side is None:
        return _area_box(view, image, key)
    low, high = view.shorter_side
    side = low + int(draw(key, 0) * (high - low + 1))
    return crop_box(side, image, output, draw(key, 1), draw(key, 2))


def _area_box(view: TrainView, image: Size, key: int) -> Box:
    """A box of whole pixels; the largest allowed in the centre if none fits."""
    low, high = view.area or (1.0, 1.0)
    narrow, wide = view.aspect or (1.0, 1.0)
    for stream in range(0, 4 * _TRIES, 4):
        share = low + (high - low) * draw(key, stream)
        # Uniform in the logarithm: narrow and wide are as frequent.
        aspect = narrow * (wide / narrow) ** draw(key, stream + 1)
        area = image[0] * image[1] * share
        width = round(math.sqrt(area * aspect))
        height = round(math.sqrt(area / aspect))
        if 0 < width <= image[0] and 0 < height <= image[1]:
            left = int(draw(key, stream + 2) * (image[0] - width + 1))
            top = int(draw(key, stream + 3) * (image[1] - height + 1))
            return left, top, left + width, top + height
    aspect = min(max(image[0] / image[1], narrow), wide)
    width = max(1, min(image[0], round(image[1] * aspect)))
    height = max(1, min(image[1], round(image[0] / aspect)))
    left, top = (image[0] - width) // 2, (image[1] - height) // 2
    return left, top, left + width, top + height


def resized(image: Image.Image, box: Box, output: Size) -> Image.Image:
    """Resizes a box of an image, bilinear and antialiased.

    First across and then down, each rounded to bytes: Pillow's own order
    depends on its version and on the image's shape.
    """
    left, top, right, bottom = box
    # The rows that the second pass needs, and no others.
    margin = max((bottom - top) / output[1], 1) + 1
    first = max(0, math.floor(top - margin))
    last = min(image.height, math.ceil(bottom + margin))
    if (first, last) != (0, image.height):
        image = image.crop((0, first, image.width, last))
    # Rounding may have put an edge an ulp outside the image.
    left, right = max(0.0, left), min(float(image.width), right)
    top, bottom = max(0.0, top - first), min(image.height, bottom - first)
    image = image.resize(
        (output[0], image.height),
        Image.Resampling.BILINEAR,
        box=(left, 0, right, image.height),
    )
    return image.resize(
        output, Image.Resampling.BILINEAR, box=(0, top, output[0], bottom)
    )
