"""From an image file of any mode to an image of 8 bits, upright and opaque.

Training and `predict` treat photos alike, since this is the code of both.
"""

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from kresnet.errors import BadDataError

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
# 256 MiB as RGB; what unpacks to more is taken for a decompression bomb.
LARGEST = 2**28 // 3
# Of 16 bits Pillow keeps the high bytes; unpacked so it gives the low ones,
# or all of them in a row.
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"}
# Grey of 2 and 4 bits comes spread over 8, the transparent value does not.
_SPREAD = {"L;2": 85, "L;4": 17}
# A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that is enough.
_LEAST_RATIO = 2

Size = tuple[int, int]  # width and height


def open_photo(
    file: BinaryIO,
    channels: int,
    notices: list[str],
    ratio: Callable[[Size], float] | None = None,
) -> tuple[Image.Image, Size]:
    """Decodes an image file.

    In this order: the first frame of an animation is taken, what is
    transparent is laid on white and the result rounded to 8 bits, the EXIF
    orientation is applied, and colours become RGB or grey (ITU-R 601 luma).
    CMYK is converted without colour management; colour profiles are ignored.

    Args:
        file: Can be read and sought; stays open.
        channels: 3 for RGB, 1 for grey.
        notices: Gets what the user should know.
        ratio: Called with the size of the upright image; says by how much a
            JPEG may be decoded smaller, which is faster and gives other
            pixels. `None` for not at all.

    Returns:
        The image, RGB or grey, and the size that it has, or would have had it
        not been decoded smaller.

    Raises:
        BadDataError: It is no image, is damaged, or would unpack to more than
            89 million pixels; without the file's name.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                raise _too_large(f"{image.width}×{image.height}")
            # A photograph with a second picture inside (MPO) does not move.
            animated = getattr(image, "is_animated", False)
            if animated and image.format != "MPO":
                notices.append("animated: the first frame is taken")
            packed = image.tile[0].args if image.format == "PNG" else None
            whole = image.size
            if ratio and image.format == "JPEG":
                _decode_smaller(image, ratio)
            image.load()
            opaque = _opaque(image, packed, file, notices)
            opaque.info = image.info.copy()  # has the orientation
            opaque.info.pop("transparency", None)
            if _turn_upright(opaque, notices):
                whole = whole[::-1]
            mode = "RGB" if channels == 3 else "L"
            if opaque.mode != mode:
                opaque = opaque.convert(mode)
            return opaque, whole
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


def _decode_smaller(image, ratio):
    """Lets a JPEG be decoded at a fraction of its size."""
    width, height = image.size
    try:
        lies = _lies(image)
    except Exception:  # as `_turn_upright` has it
        lies = False
    found = ratio((height, width) if lies else (width, height))
    if found >= _LEAST_RATIO:
        image.draft(None, (int(width / found) + 1, int(height / found) + 1))


def _lies(image) -> bool:
    """Whether width and height change places as the image is set upright."""
    return image.getexif().get(ExifTags.Base.Orientation, 1) in range(5, 9)


def _turn_upright(image, notices) -> bool:
    """Applies the EXIF orientation; says whether the sides changed places."""
    try:
        lies = _lies(image)
        ImageOps.exif_transpose(image, in_place=True)
        return lies
    except Exception:  # the image is sound, its metadata are not
        notices.append("its EXIF data are damaged: orientation unknown")
        return False


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
