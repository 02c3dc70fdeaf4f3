"""Every depth, colour type and transparency of PNG gives the same picture."""

import numpy as np
import pytest
from PIL import Image
from png_files import (
    CHANNELS,
    COLOUR,
    COLOUR_ALPHA,
    GREY,
    GREY_ALPHA,
    PALETTE,
    chunk,
    png_of,
)

from kresnet.errors import BadDataError
from kresnet.prediction import read_image
from kresnet.spec import DATASETS

SIDE = 32
KINDS = [
    *((bits, GREY) for bits in (1, 2, 4, 8, 16)),
    *((bits, PALETTE) for bits in (1, 2, 4, 8)),
    *((bits, kind) for bits in (8, 16) for kind in (COLOUR, COLOUR_ALPHA)),
    *((bits, GREY_ALPHA) for bits in (8, 16)),
]


@pytest.fixture
def read(tmp_path):
    def read(content, channels=3):
        (tmp_path / "image.png").write_bytes(content)
        return read_image(
            tmp_path / "image.png", (SIDE, SIDE, channels), DATASETS["cifar10"]
        )

    return read


def picture(bits, kind, transparent, generator):
    """The content of a file, and the picture in it on white: exact levels."""
    most = 2**bits - 1
    values = generator.integers(0, most + 1, (SIDE, SIDE, CHANNELS[kind]))
    if kind == PALETTE:
        palette = generator.integers(0, 256, (most + 1, 4))
        palette[:, 3] |= 0 if transparent else 255
        more = chunk(b"PLTE", palette[:, :3].astype("uint8").tobytes())
        more += chunk(b"tRNS", palette[:, 3].astype("uint8").tobytes())
        levels = palette[values[..., 0]].astype(float)
        return values, more, on_white(levels[..., :3], levels[..., 3:])
    colours = values[..., : 3 if values.shape[2] > 2 else 1]
    alpha = np.full((SIDE, SIDE, 1), 255.0)
    more = b""
    if kind in (GREY_ALPHA, COLOUR_ALPHA):
        alpha = values[..., -1:] * (255 / most)
    elif transparent:
        key = values[3, 5].copy()
        values[0, 0] = np.minimum(key + 1, most)  # nearly that colour
        more = chunk(b"tRNS", key.astype(">u2").tobytes())
        alpha = 255.0 * (values != key).any(axis=2, keepdims=True)
    return values, more, on_white(colours * (255 / most), alpha)


def on_white(levels, alpha):
    whole = 255 + alpha / 255 * (levels - 255)
    return np.broadcast_to(whole, (SIDE, SIDE, 3))


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(("bits", "kind"), KINDS)
def test_a_picture_is_that_of_its_file_to_half_a_level(
    read, bits, kind, transparent
):
    values, more, exact = picture(
        bits, kind, transparent, np.random.default_rng(bits + kind)
    )
    luma = exact @ [0.299, 0.587, 0.114]

    for interlaced in (False, True):
        content = png_of(values, bits, kind, more, interlaced)
        pixels, notices = read(content)
        grey, _ = read(content, channels=1)

        np.testing.assert_allclose(pixels, exact, atol=0.5 + 1e-9)
        # Colours are rounded before they are mixed.
        np.testing.assert_allclose(grey[..., 0], luma, atol=1 + 1e-9)
        seen = transparent or kind in (GREY_ALPHA, COLOUR_ALPHA)
        said = ["its transparent parts are laid on white"]
        assert notices == (said if seen else [])


def test_sixteen_bits_and_eight_give_the_same_picture(read):
    generator = np.random.default_rng(0)
    for kind in (GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA):
        values = generator.integers(0, 256, (SIDE, SIDE, CHANNELS[kind]))

        np.testing.assert_array_equal(
            read(png_of(257 * values, 16, kind))[0],
            read(png_of(values, 8, kind))[0],
        )


def test_sixteen_bits_are_turned_upright_as_others_are(read):
    values = np.random.default_rng(0).integers(0, 65_536, (SIDE, SIDE, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter clockwise
    more = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))

    pixels, _ = read(png_of(values, 16, COLOUR, more))

    turned = np.rot90(values / 257, -1)
    np.testing.assert_allclose(pixels, turned, atol=0.5)


def test_what_is_damaged_is_said_where_a_decoder_has_no_words(read):
    values = np.zeros((SIDE, SIDE, 1), int)

    with pytest.raises(BadDataError, match=r"damaged: \w"):
        read(png_of(values, 8, PALETTE))  # without its palette
