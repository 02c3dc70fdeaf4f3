"""From an image file of any mode to 8 bits a value, opaque and upright.

Training and `predict` decode by this alone.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError, features

from kresnet.errors import BadDataError, InputMissingError

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
# 256 MiB as RGB; what unpacks to more is taken for a decompression bomb.
LARGEST = 2**28 // 3
# Of 16 bits Pillow keeps the high bytes; unpacked so it gives the low ones,
# or all of them in a row.
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
# Grey of 2 and 4 bits comes spread over 8, the transparent value does not.
_SPREAD = {"L;2": 85, "L;4": 17}
_ORIENTATION = 0x0112  # of EXIF; 5 to 8 exchange width and height


def versions() -> dict[str, str]:
    """The versions of what decodes and resizes, by name."""
    found = features.version_codec("jpg")
    turbo = features.version_feature("libjpeg_turbo")
    return {
        "pillow": Image.__version__,
        "libjpeg": f"turbo {turbo}" if turbo else str(found),
    }


@contextlib.contextmanager
def opened_file(path: Path | str) -> Iterator[BufferedReader]:
    """Opens a file to be decoded.

    Raises:
        InputMissingError: There is no such file, or it cannot be opened or,
            inside, read.
        BadDataError: It is a folder, a pipe or empty.
    """
    try:
        exists, is_file = os.path.exists(path), os.path.isfile(path)
    except (OSError, ValueError) as error:  # a NUL in the name, a long name
        raise InputMissingError(f"cannot be opened: {error}") from error
    if not exists:
        raise InputMissingError("there is no such file")
    if not is_file:  # a pipe could block for ever
        raise BadDataError("not a file")
    try:
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise InputMissingError("there is no such file") from None
    except OSError as error:
        raise InputMissingError(f"cannot be opened: {error.strerror}") from None
    with file:
        if os.fstat(file.fileno()).st_size == 0:
            raise BadDataError("the file is empty")
        try:
            yield file
        except OSError as error:
            raise InputMissingError(
                f"cannot be read: {error.strerror}"
            ) from error


def decode(
    file: BinaryIO,
    notices: list[str],
    least: Callable[[tuple[int, int]], float] | None = None,
) -> tuple[Image.Image, tuple[int, int]]:
    """Decodes the first frame of an image file.

    What is transparent is laid on white and the result rounded to 8 bits, and
    the EXIF orientation is applied. CMYK is left as it is, to be converted
    without colour management; colour profiles are ignored.

    Args:
        file: An open file.
        notices: Takes what the user should know about how it came about.
        least: Is given width and height of the upright image and returns by
            how much a JPEG may be shrunk while it is decoded: by 2, 4 or 8 if
            that is no more. `None` for not at all.

    Returns:
        The image, and the size that it has where it is not shrunk.

    Raises:
        BadDataError: It is no image, is damaged, or would unpack to more than
            89 million pixels.
    """
    with opened_image(file) as image:
        # A photograph with a second picture inside (MPO) does not move.
        animated = getattr(image, "is_animated", False)
        if animated and image.format != "MPO":
            notices.append("animated: the first frame is taken")
        packed = image.tile[0].args if image.format == "PNG" else None
        whole = None
        if least and image.format in ("JPEG", "MPO"):
            whole = _upright_size(image)
            _shrink(image, least(whole))
        image.load()
        opaque = _opaque(image, packed, file, notices)
        if opaque is not image:
            opaque.info = image.info.copy()  # has the orientation
            opaque.info.pop("transparency", None)
        upright = _upright(opaque, notices)
        return upright, whole or upright.size


@contextlib.contextmanager
def opened_image(file: BinaryIO) -> Iterator[ImageFile.ImageFile]:
    """Reads the beginning of an image file.

    Raises:
        BadDataError: It is no image, would unpack to more than 89 million
            pixels, or what is done inside finds it damaged.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                raise _too_large(f"{image.width}×{image.height}")
            yield image
    except BadDataError:
        raise
    except UnidentifiedImageError:
        raise BadDataError(
            f"not an image in one of the formats {', '.join(FORMATS)}"
        ) from None
    except Image.DecompressionBombError as error:
        raise _too_large("the image") from error
    except Exception as error:  # decoders of damaged files raise anything
        # A damaged offset is an invalid argument; all else is the disk's.
        number = error.errno if isinstance(error, OSError) else None
        if number not in (None, errno.EINVAL):
            raise
        raise BadDataError(f"damaged: {str(error) or repr(error)}") from error


def _upright_size(image):
    """Width and height of a JPEG after `_upright`, from the header."""
    try:
        turned = 5 <= int(image.getexif().get(_ORIENTATION, 1)) <= 8
    except Exception:  # as in `_upright`
        turned = False
    return image.size[::-1] if turned else image.size


def _shrink(image, least):
    """Lets a JPEG be decoded at a half, a quarter or an eighth."""
    for factor in (8, 4, 2):
        if least >= factor:
            # `draft` takes the largest factor by which the size is no smaller.
            width, height = image.size
            image.draft(None, (width // factor, height // factor))
            return


def _too_large(what) -> BadDataError:
    return BadDataError(
        f"{what} would unpack to more than {LARGEST:,} pixels; not decoded"
    )


def _upright(image, notices):
    try:
        if image.getexif().get(_ORIENTATION, 1) == 1:
            return image  # and not a copy, as Pillow would
        return ImageOps.exif_transpose(image)
    except Exception:  # the image is sound, its metadata are not
        notices.append("its EXIF data are damaged: orientation unknown")
        return image


def _opaque(image, packed, file, notices):
    """Lays an image on white and rounds what has more than 8 bits."""
    if packed == "I;16B" or packed in _LOW_BYTES:
        values, white = _sixteen_bits(image, packed, file), 65_535
    elif image.mode in ("L", "RGB") and image.has_transparency_data:
        values, white = np.atleast_3d(np.asarray(image)), 255
    elif image.has_transparency_data:
        values, white = np.asarray(image.convert("RGBA")), 255
    else:
        # A palette has colours: straight to grey Pillow would round twice.
        return image.convert("RGB") if image.mode == "P" else image
    colours = values[..., : 3 if values.shape[2] > 2 else 1]
    opacity = _opacity(values, white, image.info, packed)
    if opacity.min() < white:
        notices.append("its transparent parts are laid on white")
    rounded = np.empty(colours.shape, "uint8")
    for row, colour, alpha in zip(rounded, colours, opacity, strict=True):
        share = alpha[:, None] / white
        level = 255 / white * colour
        row[:] = np.rint(255 + share * (level - 255))
    return Image.fromarray(
        rounded if rounded.shape[2] == 3 else rounded[..., 0]
    )


def _sixteen_bits(image, packed, file):
    """All 16 bits of an image that Pillow decoded to 8, or of a grey one."""
    high = np.atleast_3d(np.asarray(image))
    if packed not in _LOW_BYTES:
        return high
    file.seek(0)
    with Image.open(file, formats=["PNG"]) as again:
        again.tile = [
            tile._replace(args=_LOW_BYTES[packed]) for tile in again.tile
        ]
        again.load()
        low = np.asarray(again)
    if packed == "LA;16B":  # four bytes in a row
        high, low = low[..., ::2], low[..., 1::2]
    return high.astype("uint16") << 8 | low


def _opacity(values, white, info, packed):
    """From 0 to `white` for every pixel: a channel, or all but one value."""
    if values.shape[2] in (2, 4):
        return values[..., -1]
    transparent = info.get("transparency")
    if transparent is None:
        return np.full(values.shape[:2], white, "uint16")
    key = np.array(transparent) * _SPREAD.get(packed, 1)
    return (values != key).any(axis=2) * np.uint16(white)
