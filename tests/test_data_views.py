"""Views as boxes, their draws, and their pixels."""

import numpy as np
import pytest
from PIL import Image

from kresnet.data.views import (
    draw,
    resized,
    split_mix,
    test_box,
    train_box,
)
from kresnet.spec import TestView, TrainView

PAPER = TrainView(shorter_side=(256, 480), crop="random")
AREA = TrainView(area=(0.08, 1), aspect=(0.75, 1.3333))
TEST = TestView(shorter_side=256, crop="center")
SIZES = [(500, 375), (375, 500), (64, 3_000), (1, 1), (224, 224)]


def test_draws_are_the_published_outputs_of_splitmix64():
    got = [split_mix(1_234_567, stream) for stream in range(5)]

    assert got == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert 0 <= draw(2**64 - 1, 40) < 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", [PAPER, AREA], ids=["side", "area"])
def test_a_drawn_box_lies_in_the_image(view, size):
    for key in range(300):
        left, top, right, bottom = train_box(view, size, (224, 224), key)

        assert -1e-9 <= left < right <= size[0] + 1e-9
        assert -1e-9 <= top < bottom <= size[1] + 1e-9


def test_the_shorter_side_of_the_paper_is_drawn_evenly():
    """A crop of 224 at shorter side s shows 224 / s of the shorter side."""
    sides = [
        224 * 375 / (box[2] - box[0])
        for key in range(4_000)
        for box in [train_box(PAPER, (500, 375), (224, 224), key)]
    ]

    assert set(np.rint(sides)) == set(range(256, 481))
    # Uniform on 256 … 480: deviation 64.9; four standard errors of the mean.
    assert abs(np.mean(sides) - 368) < 4 * 64.9 / 4_000**0.5


def test_area_and_aspect_are_in_their_ranges():
    """Up to the rounding of the sides to whole pixels."""
    boxes = [train_box(AREA, (500, 375), (224, 224), key) for key in range(500)]
    widths = np.array([box[2] - box[0] for box in boxes])
    heights = np.array([box[3] - box[1] for box in boxes])
    shares = widths * heights / (500 * 375)

    assert shares.min() > 0.078
    assert shares.max() <= 1
    assert (widths / heights).min() > 0.74
    assert (widths / heights).max() < 1.35


def test_the_test_view_is_seven_eighths_of_the_shorter_side_in_the_centre():
    assert test_box(TEST, (500, 400), (224, 224)) == (75, 25, 425, 375)


def triangle(size, begin, end, count):
    """Weights of an antialiased bilinear resize of [begin, end] to count."""
    scale = (end - begin) / count
    support = max(scale, 1)
    centres = begin + (np.arange(count) + 0.5) * scale
    away = np.abs(np.arange(size)[None] + 0.5 - centres[:, None]) / support
    weights = np.maximum(0, 1 - away)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("size", [(90, 61), (61, 400), (40, 33)])
def test_resizing_is_two_triangle_filters_each_rounded_to_bytes(size):
    """Pillow's weights have 22 bits: a rounding may go the other way."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3))
    image = Image.fromarray(pixels.astype("uint8"))
    box = (3.37, 2.61, size[0] - 1.72, size[1] - 4.53)
    across = triangle(size[0], box[0], box[2], 32)
    down = triangle(size[1], box[1], box[3], 24)
    want = np.floor(np.einsum("ow,hwc->hoc", across, pixels) + 0.5)
    want = np.floor(np.einsum("oh,hwc->owc", down, want) + 0.5)

    got = np.asarray(resized(image, box, (32, 24))).astype(int)

    assert got.shape == (24, 32, 3)
    assert np.abs(got - want).max() <= 1
    assert (got != want).mean() < 5e-3
