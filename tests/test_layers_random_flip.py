"""Random mirror images: one draw an image, from its key alone."""

import keras
import numpy as np
import pytest

from kresnet.layers import RandomCrop, RandomFlip

STREAM = 0x666C6970
RNG = np.random.RandomState(0)
IMAGES = RNG.randint(0, 256, (40, 6, 5, 3)).astype(np.float32)
KEYS = RNG.randint(0, 2**32, 40, dtype=np.uint32)


@pytest.fixture(scope="module")
def flips(documented_draw):
    """Mirrors images by the documented draws."""

    def flips(images, keys) -> np.ndarray:
        flip = [documented_draw(int(key), STREAM, 2) == 1 for key in keys]
        flip = np.reshape(flip, (-1, 1, 1, 1))
        return np.where(flip, images[:, :, ::-1], images)

    return flips


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_every_image_is_flipped_by_its_own_key(flips, dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX computes in float32 unless told otherwise")
    images = IMAGES.astype(dtype)
    got = _numpy(RandomFlip()(images, KEYS))
    assert got.dtype == images.dtype
    np.testing.assert_array_equal(got, flips(images, KEYS))


def test_half_of_the_images_are_flipped():
    count = 40_000
    images = np.broadcast_to(np.float32([[0], [1]]), (count, 1, 2, 1))
    got = _numpy(RandomFlip()(images, np.arange(count)))
    mean = got[:, 0, 0, 0].mean()
    assert abs(mean - 0.5) < 4 * 0.5 / count**0.5


def test_flips_are_independent_of_crops():
    """A crop by a key tells nothing about the flip by the same key."""
    count = 40_000
    places = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3, 1)
    images = np.broadcast_to(places, (count, 3, 3, 1))
    keys = np.arange(count)
    centre = _numpy(RandomCrop(1)(images, keys))[:, 1, 1, 0].astype(int) - 1
    row = np.broadcast_to(np.float32([[0], [1]]), (count, 1, 2, 1))
    flipped = _numpy(RandomFlip()(row, keys))[:, 0, 0, 0]
    assert set(centre) == set(range(9))
    for offset in range(9):
        some = flipped[centre == offset]
        assert abs(some.mean() - 0.5) < 4 * 0.5 / some.size**0.5


def test_outside_of_training_images_pass_unchanged():
    got = RandomFlip()(IMAGES, KEYS, training=False)
    np.testing.assert_array_equal(_numpy(got), IMAGES)


def test_in_a_functional_model_it_flips_in_training_only(flips, tmp_path):
    pixels = keras.Input((6, 5, 3))
    keys = keras.Input((), dtype="uint32")
    model = keras.Model([pixels, keys], RandomFlip()(pixels, keys))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for one in (model, loaded):
        got = _numpy(one([IMAGES, KEYS], training=True))
        np.testing.assert_array_equal(got, flips(IMAGES, KEYS))
        got = one.predict([IMAGES, KEYS], verbose=0)
        np.testing.assert_array_equal(got, IMAGES)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about TensorFlow graphs"
)
def test_it_works_in_a_loop_within_a_graph(flips):
    import tensorflow as tf

    layer = RandomFlip()

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 6, 5, 3], "float32"),
            tf.TensorSpec([None], "uint32"),
        ]
    )
    def thrice(images, keys):
        for step in tf.range(3):
            images = layer(images, keys + tf.cast(step, "uint32"))
        return images

    want = IMAGES
    for step in range(3):
        want = flips(want, KEYS + np.uint32(step))
    np.testing.assert_array_equal(thrice(IMAGES, KEYS).numpy(), want)


def test_jax_gives_the_same_bytes_in_a_loop_within_a_program(flips, on_jax):
    program = """
import sys
import jax
import numpy as np
from kresnet.layers import RandomFlip

images, keys = np.load("images.npy"), np.load("keys.npy")
layer = RandomFlip()
for dtype in ("float32", "uint8"):
    out = jax.jit(lambda images, keys: jax.lax.fori_loop(
        0, 3, lambda i, x: layer(x, keys + i.astype("uint32")), images
    ))(images.astype(dtype), keys)
    sys.stdout.buffer.write(np.asarray(out).astype("float32").tobytes())
"""
    want = IMAGES
    for step in range(3):
        want = flips(want, KEYS + np.uint32(step))

    assert on_jax(program, images=IMAGES, keys=KEYS) == want.tobytes() * 2


def test_it_knows_the_shape_and_type_it_returns():
    shape = (None, 32, 32, 3)
    assert RandomFlip().compute_output_shape(shape, (None,)) == shape
    for dtype in ("uint8", "float32", "float64"):
        images = keras.Input(shape[1:], dtype=dtype)
        output = RandomFlip()(images, keras.Input((), dtype="uint32"))
        assert output.shape == shape
        assert output.dtype == dtype


def test_its_configuration_rebuilds_it():
    config = RandomFlip(name="flip").get_config()
    assert RandomFlip.from_config(config).name == "flip"
