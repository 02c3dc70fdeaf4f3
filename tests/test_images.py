"""Image files of every mode become the pixels a network takes."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image
from png_files import png

from kresnet.data import load_dataset
from kresnet.data.decode import LARGEST
from kresnet.errors import BadDataError, InputMissingError
from kresnet.prediction import read_image
from kresnet.spec import DATASETS

CIFAR10 = DATASETS["cifar10"]
DIGITS = DATASETS["digits"]
SIDE = 32
RGB = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), "uint8")
GREY = RGB[..., 0]


def read(path, channels=3, facts=CIFAR10, side=SIDE):
    return read_image(path, (side, side, channels), facts)


def saved(folder, image, name="image.png", **options):
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    image.save(folder / name, **options)
    return folder / name


def as_rgb(grey):
    return np.repeat(grey[..., None], 3, axis=2)


def test_pixels_of_an_image_of_the_right_size_are_left_alone(tmp_path):
    pixels, notices = read(saved(tmp_path, RGB))

    np.testing.assert_array_equal(pixels, RGB)
    assert pixels.dtype == np.uint8
    assert notices == []


def test_grey_is_repeated_for_colour(tmp_path):
    pixels, _ = read(saved(tmp_path, GREY))

    np.testing.assert_array_equal(pixels, as_rgb(GREY))


def test_one_bit_is_black_and_white(tmp_path):
    bits = GREY > 127

    pixels, _ = read(saved(tmp_path, bits))

    np.testing.assert_array_equal(pixels, as_rgb(255 * bits.astype("uint8")))


def test_sixteen_bits_are_rounded_to_eight_not_clipped(tmp_path):
    wide = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) * 64
    wide[0, :3] = 0, 257, 65535

    pixels, _ = read(saved(tmp_path, wide.astype("uint16")))

    assert pixels[0, :3, 0].tolist() == [0, 1, 255]
    np.testing.assert_allclose(pixels[..., 0], wide / 257, atol=0.5)


def test_sixteen_bits_of_each_colour_are_scaled_to_eight(tmp_path):
    """Written by hand: Pillow writes no such file."""
    wide = RGB.astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    path = tmp_path / "wide.png"
    path.write_bytes(png(SIDE, SIDE, 16, 2, zlib.compress(rows)))

    np.testing.assert_array_equal(read(path)[0], RGB)


def test_a_palette_is_looked_up(tmp_path):
    image = Image.fromarray(RGB).quantize(16)
    colours = np.array(image.getpalette()).reshape(-1, 3)

    pixels, _ = read(saved(tmp_path, image))

    np.testing.assert_array_equal(pixels, colours[np.asarray(image)])


def on_white(colour, alpha):
    weight = alpha[..., None] / 255
    return weight * colour + (1 - weight) * 255


def test_what_is_transparent_is_laid_on_white(tmp_path):
    alpha = RGB[..., 2]
    colour = saved(tmp_path, np.dstack([RGB, alpha]), "rgba.png")
    grey = saved(tmp_path, np.dstack([GREY, alpha]), "la.png")

    np.testing.assert_allclose(read(colour)[0], on_white(RGB, alpha), atol=1)
    np.testing.assert_allclose(
        read(grey)[0], on_white(as_rgb(GREY), alpha), atol=1
    )


def test_a_transparent_palette_entry_is_white(tmp_path):
    indices = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 2
    image = Image.fromarray(indices.astype("uint8"), "L").convert("P")
    image.putpalette([0, 0, 0, 10, 20, 30])

    pixels, _ = read(saved(tmp_path, image, transparency=0))

    assert pixels[0, :2].tolist() == [[255, 255, 255], [10, 20, 30]]


def test_a_transparent_grey_is_white(tmp_path):
    path = saved(tmp_path, np.full_like(GREY, 7), transparency=7)

    assert (read(path)[0] == 255).all()


def test_cmyk_is_ink_on_white(tmp_path):
    ink = np.zeros((SIDE, SIDE, 4), "uint8")
    ink[:, 16:, 0] = 255  # cyan takes the red away
    image = Image.fromarray(ink, "CMYK")

    pixels, _ = read(saved(tmp_path, image, "c.jpg", quality=100))

    np.testing.assert_allclose(pixels[8, 8], [255, 255, 255], atol=3)
    np.testing.assert_allclose(pixels[8, 24], [0, 255, 255], atol=3)


def test_colour_becomes_grey_by_its_luma(tmp_path):
    """ITU-R 601: 0.299 red + 0.587 green + 0.114 blue."""
    pixels, _ = read(saved(tmp_path, RGB), channels=1)

    luma = RGB @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(pixels[..., 0], luma, atol=1)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda stored: stored),
        (3, lambda stored: np.rot90(stored, 2)),
        (6, lambda stored: np.rot90(stored, -1)),  # a quarter clockwise
        (8, lambda stored: np.rot90(stored, 1)),
        (2, lambda stored: stored[:, ::-1]),
    ],
)
def test_the_exif_orientation_is_applied(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation

    pixels, _ = read(saved(tmp_path, RGB, exif=exif))

    np.testing.assert_array_equal(pixels, turn(RGB))


def test_damaged_exif_data_cost_the_orientation_only(tmp_path):
    path = saved(tmp_path, RGB, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")

    np.testing.assert_array_equal(read(path)[0], RGB)


@pytest.mark.parametrize(
    ("name", "options"), [("a.gif", {}), ("a.webp", {"lossless": True})]
)
def test_the_first_frame_of_an_animation_is_taken(tmp_path, name, options):
    frames = [Image.new("RGB", (SIDE, SIDE), c) for c in ("red", "blue")]
    path = saved(
        tmp_path,
        frames[0],
        name,
        save_all=True,
        append_images=frames[1:],
        **options,
    )

    pixels, notices = read(path)

    assert (pixels == [255, 0, 0]).all()
    assert notices == ["animated: the first frame is taken"]


def test_another_size_is_resized_with_a_notice(tmp_path):
    """Halves of one colour stay halves of one colour."""
    big = np.zeros((128, 64, 3), "uint8")
    big[:64] = 200

    pixels, notices = read(saved(tmp_path, big))

    assert (pixels[:12] == 200).all()
    assert (pixels[-12:] == 0).all()
    assert notices == [
        "resized from 64×128 to 32×32 (bicubic; its proportions change)"
    ]


def test_shrinking_averages_instead_of_skipping(tmp_path):
    stripes = np.zeros((256, 256), "uint8")
    stripes[:, ::2] = 255

    pixels, _ = read(saved(tmp_path, stripes))

    np.testing.assert_allclose(pixels[:, 1:-1], 127.5, atol=1)


def test_the_17_grey_levels_of_the_digits_survive_a_file(tmp_path):
    digit = load_dataset("digits").test_images[0]
    file = np.rint(digit[..., 0] * (255 / 16)).astype("uint8")

    pixels, notices = read(saved(tmp_path, file), 1, DIGITS, 8)

    np.testing.assert_array_equal(pixels, digit)
    assert notices == []


def test_a_dark_digit_on_white_is_noticed(tmp_path):
    page = np.full((8, 8), 255, "uint8")
    page[2:6, 4] = 0

    _, notices = read(saved(tmp_path, page), 1, DIGITS, 8)

    assert "invert" in notices[0]


def test_class_names_are_those_of_the_data_set():
    assert load_dataset("digits").class_names == DIGITS.class_names


def encoded(format, **options):
    buffer = io.BytesIO()
    Image.fromarray(np.tile(RGB, (4, 4, 1))).save(buffer, format, **options)
    return buffer.getvalue()


SOUND_PNG, SOUND_JPEG = encoded("PNG"), encoded("JPEG")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"not an image\n", "not an image"),
        (b"%PDF-1.7", "not an image"),
        (SOUND_PNG[:20], "damaged|not an image"),
        (SOUND_PNG[: len(SOUND_PNG) // 2], "damaged"),
        (SOUND_JPEG[: len(SOUND_JPEG) // 2], "damaged"),
        (SOUND_JPEG[:2], "not an image"),
        (encoded("GIF")[:5_000], "damaged"),
        (encoded("WEBP")[:300], "damaged|not an image"),
        (encoded("TIFF"), "not an image"),
        (png(60_000, 60_000, 8, 2, b""), "unpack"),
        (png(10_000, 10_000, 8, 2, b""), "unpack"),
    ],
)
def test_what_is_no_sound_image_is_refused_before_it_does_harm(
    tmp_path, content, says
):
    path = tmp_path / "image.png"
    path.write_bytes(content)

    with pytest.raises(BadDataError, match=says):
        read(path)


def test_any_flipped_byte_is_refused_or_read_but_never_a_crash(tmp_path):
    sound = encoded("PNG")[:2_000]
    for position in range(0, 400, 3):
        damaged = bytearray(sound)
        damaged[position] ^= 0xFF
        path = tmp_path / "image.png"
        path.write_bytes(damaged)
        with pytest.raises(BadDataError):
            read(path)


def test_the_largest_image_takes_a_quarter_gigabyte():
    assert LARGEST * 3 <= 2**28


def test_a_missing_file_is_missing_and_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputMissingError, match="no such file"):
        read(tmp_path / "none.png")
    with pytest.raises(InputMissingError):
        read(tmp_path / ("x" * 5_000))
    with pytest.raises(BadDataError, match="not a file"):
        read(tmp_path)
