"""From an image file of any mode to the pixels a network takes."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from kresnet.data.photo import open_photo
from kresnet.data.views import resized, test_box
from kresnet.errors import BadDataError, InputMissingError
from kresnet.spec import DatasetFacts, TestView


def read_image(
    path: Path,
    shape: tuple[int, int, int],
    facts: DatasetFacts,
    view: TestView | None = None,
) -> tuple[np.ndarray, list[str]]:
    """Reads one image file as a network's pixels.

    It is decoded as `kresnet.data.photo.open_photo` says. Then the whole image
    is resized with antialiased bicubic interpolation, or, for a network that
    was trained on images of all sizes, seen in its test view; and values are
    scaled to the data set's range.

    Returns:
        uint8 pixels of the shape, 0 to `facts.white`, and what the user should
        know about how they came about.

    Raises:
        InputMissingError: There is no such file, or it cannot be opened.
        BadDataError: It is no image, is damaged, or would unpack to more than
            89 million pixels.
    """
    notices: list[str] = []
    with warnings.catch_warnings():
        # Of Pillow's warnings, size is checked below and the others concern
        # metadata that are not used.
        warnings.simplefilter("ignore")
        image = _opened(path, shape[2], notices)
    height, width = shape[:2]
    if view:
        box = test_box(view, image.size, (width, height))
        pixels = resized(image, box, (width, height)).reshape(shape)
        return pixels, notices
    if image.size != (width, height):
        same = image.width * height == image.height * width
        notices.append(
            f"resized from {image.width}×{image.height} to {width}×{height} "
            f"(bicubic{'' if same else '; its proportions change'})"
        )
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image, "uint8").reshape(shape)
    if facts.light_on_dark and pixels.mean() > 127.5:
        notices.append(
            "mostly light, but the network was trained on light shapes on "
            "black: invert the image if it is dark on light"
        )
    if facts.white != 255:
        scaled = np.rint(pixels * (facts.white / 255))
        pixels = scaled.astype("uint8")
    return pixels, notices


def _opened(path: Path, channels: int, notices: list[str]) -> Image.Image:
    """The image in a file, which must be one; see `open_photo`."""
    try:
        exists, is_file = path.exists(), path.is_file()
        is_empty = is_file and path.stat().st_size == 0
    except (OSError, ValueError) as error:  # a NUL in the name, a long name
        raise InputMissingError(f"cannot be opened: {error}") from error
    if not exists:
        raise InputMissingError("there is no such file")
    if not is_file:  # a pipe could block for ever
        raise BadDataError("not a file")
    if is_empty:
        raise BadDataError("the file is empty")
    try:
        with path.open("rb") as file:
            return open_photo(file, channels, notices)[0]
    except OSError as error:
        raise InputMissingError(f"cannot be opened: {error.strerror}") from None
