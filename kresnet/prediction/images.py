"""From an image file of any mode to the pixels a network takes."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from kresnet.data.decode import decode, opened_file
from kresnet.data.views import resized, test_box
from kresnet.spec import DatasetFacts, TestView


def read_image(
    path: Path,
    shape: tuple[int, int, int],
    facts: DatasetFacts,
    view: TestView | None = None,
    whole: bool = False,
) -> tuple[np.ndarray, list[str]]:
    """Reads one image file as a network's pixels.

    It is decoded as in training, see `kresnet.data.decode`; colours become RGB
    or grey (ITU-R 601 luma) as the network takes them. A network with views
    sees the test view, or takes the image `whole` and has the view inside. For
    any other the whole image is resized with antialiased bicubic interpolation,
    and values are scaled to the data set's range.

    Returns:
        uint8 pixels of the shape, `whole` ones of their own size, 0 to
        `facts.white`, and what the user should know about how they came about.

    Raises:
        InputMissingError: There is no such file, or it cannot be opened.
        BadDataError: It is no image, is damaged, or would unpack to more than
            89 million pixels.
    """
    notices: list[str] = []
    with warnings.catch_warnings(), opened_file(path) as file:
        # Of Pillow's warnings, size is checked and the others concern
        # metadata that are not used.
        warnings.simplefilter("ignore")
        image, _ = decode(file, notices)
    image = image.convert("RGB" if shape[2] == 3 else "L")
    height, width = shape[:2]
    if whole:
        width, height = image.size
    elif view:
        box = test_box(view, image.size, (width, height))
        image = resized(image, box, (width, height))
    elif image.size != (width, height):
        same = image.width * height == image.height * width
        notices.append(
            f"resized from {image.width}×{image.height} to {width}×{height} "
            f"(bicubic{'' if same else '; its proportions change'})"
        )
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image, "uint8").reshape(height, width, -1)
    if facts.light_on_dark and pixels.mean() > 127.5:
        notices.append(
            "mostly light, but the network was trained on light shapes on "
            "black: invert the image if it is dark on light"
        )
    if facts.white != 255:
        scaled = np.rint(pixels * (facts.white / 255))
        pixels = scaled.astype("uint8")
    return pixels, notices
