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
# Of 16 bits Pillow keeps the high bytes; unpacked so it gives the low ones,
# or all of them in a row.
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
# Grey of 2 and 4 bits comes spread over 8, the transparent value does not.
_SPREAD = {"L;2": 85, "L;4": 17}


def read_image(
    path: Path, shape: tuple[int, int, int], facts: DatasetFacts
) -> tuple[np.ndarray, list[str]]:
    """Reads one image file as a network's pixels.

    In this order: the first frame of an animation is taken, what is
    transparent is laid on white and the result rounded to 8 bits, the EXIF
    orientation is applied, colours become RGB or grey (ITU-R 601 luma) as the
    network takes them, the whole image is resized with antialiased bicubic
    interpolation, and values are scaled to the data set's range. CMYK is
    converted without colour management; colour profiles are ignored.

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
        image = _opened(path, notices)
    image = image.convert("RGB" if shape[2] == 3 else "L")
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
    """The first frame, decoded, 8 bits a value, opaque and upright."""
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
            packed = image.tile[0].args if image.format == "PNG" else None
            image.load()
            opaque = _opaque(image, packed, path, notices)
            opaque.info = image.info.copy()  # has the orientation
            opaque.info.pop("transparency", None)
            return _upright(opaque, notices)
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
        raise BadDataError(f"damaged: {str(error) or repr(error)}") from error


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


def _opaque(image, packed, path, notices):
    """Lays an image on white and rounds what has more than 8 bits."""
    if packed == "I;16B" or packed in _LOW_BYTES:
        values, white = _sixteen_bits(image, packed, path), 65_535
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


def _sixteen_bits(image, packed, path):
    """All 16 bits of an image that Pillow decoded to 8, or of a grey one."""
    high = np.atleast_3d(np.asarray(image))
    if packed not in _LOW_BYTES:
        return high
    with Image.open(path, formats=["PNG"]) as again:
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
