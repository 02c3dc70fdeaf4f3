"""From an image file of any mode to the pixels a network takes."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kresnet.errors import BadDataError, InputMissingError
from kresnet.spec import DatasetFacts

FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
# 256 MiB as RGB; what unpacks to more is taken for a decompression bomb.
LARGEST = 2**28 // 3
_WIDE_GREY = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def read_image(
    path: Path, shape: tuple[int, int, int], facts: DatasetFacts
) -> tuple[np.ndarray, list[str]]:
    """Reads one image file as a network's pixels.

    In this order: the first frame of an animation is taken, the EXIF
    orientation is applied, 16 bits are rounded to 8, what is transparent is
    laid on white, colours become RGB or grey (ITU-R 601 luma) as the network
    takes them, the whole image is resized with antialiased bicubic
    interpolation, and values are scaled to the data set's range. CMYK is
    converted without colour management; colour profiles are ignored.

    Args:
        path: A PNG, JPEG, GIF or WebP file.
        shape: Height, width and channels, 1 or 3, of the result.
        facts: Of the data set the network was trained on.

    Returns:
        uint8 pixels of that shape, 0 to `facts.white`, and what the user
        should know about how they came about.

    Raises:
        InputMissingError: There is no such file, or it cannot be opened.
        BadDataError: It is no image, is damaged, or would unpack to more than
            89 million pixels.
    """
    notices = []
    with warnings.catch_warnings():
        # Of Pillow's warnings, size is checked below and the others concern
        # metadata that are not used.
        warnings.simplefilter("ignore")
        image = _eight_bits(_opened(path, notices))
    mode = "RGB" if shape[2] == 3 else "L"
    image = _on_white(image, notices).convert(mode)
    height, width = shape[:2]
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


def _opened(path: Path, notices: list[str]) -> Image.Image:
    """The first frame, decoded and upright."""
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
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                raise _too_large(f"{image.width}×{image.height}")
            # A photograph with a second picture inside (MPO) does not move.
            animated = getattr(image, "is_animated", False)
            if animated and image.format != "MPO":
                notices.append("animated: the first frame is taken")
            image.load()
            return _upright(image, notices)
    except PermissionError as error:
        raise InputMissingError(f"cannot be opened: {error.strerror}") from None
    except BadDataError:
        raise
    except UnidentifiedImageError:
        raise BadDataError(
            f"not an image in one of the formats {', '.join(FORMATS)}"
        ) from None
    except Image.DecompressionBombError as error:
        raise _too_large("the image") from error
    except Exception as error:  # decoders of damaged files raise anything
        raise BadDataError(f"damaged: {error or repr(error)}") from error


def _too_large(what) -> BadDataError:
    return BadDataError(
        f"{what} would unpack to more than {LARGEST:,} pixels; not decoded"
    )


def _upright(image, notices):
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the image is sound, its metadata are not
        notices.append("its EXIF data are damaged: orientation unknown")
        return image.copy()


def _eight_bits(image):
    if image.mode not in _WIDE_GREY:
        return image
    # Pillow would clip or cut; 65535 / 255 = 257.
    values = np.rint(np.asarray(image).astype("float64") / 257)
    return Image.fromarray(np.clip(values, 0, 255).astype("uint8"))


def _on_white(image, notices):
    if not image.has_transparency_data:
        # A palette has colours: straight to grey Pillow would round twice.
        return image.convert("RGB") if image.mode in ("P", "PA") else image
    image = image.convert("RGBA")
    if image.getextrema()[3][0] < 255:
        notices.append("its transparent parts are laid on white")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image)
