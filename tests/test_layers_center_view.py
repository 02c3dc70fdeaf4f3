"""The test view as a layer: Pillow's pixels."""

import keras
import numpy as np
import pytest
from PIL import Image

from kresnet.data.views import resized, test_box
from kresnet.layers import CenterView
from kresnet.spec import TestView

# Square, wide, tall, larger and smaller than the view, and one pixel.
SIZES = [(300, 300), (500, 333), (333, 500), (900, 640), (31, 90), (1, 1)]


def image_of(size):
    """Smooth shapes with noise, as photos are."""
    rng = np.random.default_rng(size[0])
    small = rng.integers(0, 256, (7, 9, 3)).astype("uint8")
    smooth = np.asarray(Image.fromarray(small).resize(size), "int16")
    noise = rng.integers(-9, 10, smooth.shape)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype("uint8"))


def by_pillow(image, shorter_side, output):
    view = TestView(shorter_side=shorter_side, crop="center")
    return np.asarray(
        resized(image, test_box(view, image.size, output), output)
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_seven_eighths_of_the_shorter_side_are_pillows_bits(size, mode):
    image = image_of(size).convert(mode)
    pixels = np.asarray(image).reshape(1, size[1], size[0], -1)

    (got,) = np.asarray(CenterView(64, 56, 56)(pixels))

    assert got.dtype == np.uint8
    np.testing.assert_array_equal(
        np.squeeze(got), np.squeeze(by_pillow(image, 64, (56, 56)))
    )


@pytest.mark.parametrize(
    ("shorter_side", "output", "share"),
    [(73, (64, 64), 2e-3), (73, (40, 64), 2e-3), (292, (256, 256), 1e-2)],
)
def test_other_boxes_differ_by_a_level_in_few_values(
    shorter_side, output, share
):
    """Pillow rounds their edges to float32, and half levels go either way."""
    layer = CenterView(shorter_side, output[1], output[0])
    apart = []
    for size in SIZES:
        image = image_of(size)
        (got,) = np.asarray(layer(np.asarray(image)[None]))
        want = by_pillow(image, shorter_side, output)
        apart.append(np.abs(got.astype(int) - want))

    assert max(each.max() for each in apart) <= 2
    assert np.mean([(each > 0).mean() for each in apart]) <= share


def test_a_batch_gives_what_its_images_give_and_sizes_may_change():
    view = CenterView(32, 28, 28)
    inputs = keras.Input((None, None, 3), dtype="uint8")
    model = keras.Model(inputs, view(inputs))
    assert model.output_shape == (None, 28, 28, 3)
    for size in SIZES[:3]:
        batch = np.stack([image_of(size), image_of(size).rotate(180)])

        got = model.predict(batch, verbose=0)

        for image, one in zip(batch, got, strict=True):
            np.testing.assert_array_equal(one, view(image[None])[0])


def test_a_crop_lies_within_the_shorter_side():
    with pytest.raises(ValueError, match="`shorter_side` must be"):
        CenterView(63, 64, 40)


def test_jax_gives_the_same_bits(on_jax):
    image = image_of((333, 500))
    program = (
        "import sys, numpy as np\n"
        "from kresnet.layers import CenterView\n"
        "pixels = np.load('pixels.npy')\n"
        "seen = np.asarray(CenterView(64, 56, 56)(pixels[None]))\n"
        "sys.stdout.buffer.write(seen.tobytes())\n"
    )

    got = on_jax(program, pixels=np.asarray(image))

    assert got == by_pillow(image, 64, (56, 56)).tobytes()
