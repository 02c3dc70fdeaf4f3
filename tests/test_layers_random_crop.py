"""Random crops: one offset an image, from its key alone."""

import keras
import numpy as np
import pytest
from scipy.stats import chi2

from kresnet.layers import RandomCrop

ROWS, COLUMNS = 0x63726F79, 0x63726F78
RNG = np.random.RandomState(0)
IMAGES = RNG.randint(1, 256, (40, 6, 5, 3)).astype(np.float32)
KEYS = RNG.randint(0, 2**32, 40, dtype=np.uint32)


@pytest.fixture(scope="module")
def crops(documented_draw):
    """Crops images by the documented draws."""

    def crop(image: np.ndarray, key: int, padding: int) -> np.ndarray:
        top = documented_draw(key, ROWS, 2 * padding + 1)
        left = documented_draw(key, COLUMNS, 2 * padding + 1)
        height, width, _ = image.shape
        padded = np.pad(image, [(padding, padding), (padding, padding), (0, 0)])
        return padded[top : top + height, left : left + width]

    def crops(images, keys, padding) -> np.ndarray:
        pairs = zip(images, keys, strict=True)
        return np.stack(
            [crop(image, int(key), padding) for image, key in pairs]
        )

    return crops


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("padding", [0, 1, 4, 10])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_every_image_is_cropped_by_its_own_key(crops, dtype, padding):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX computes in float32 unless told otherwise")
    images = IMAGES.astype(dtype)
    got = _numpy(RandomCrop(padding)(images, KEYS))
    assert got.dtype == images.dtype
    np.testing.assert_array_equal(got, crops(images, KEYS, padding))


def test_all_offsets_are_equally_likely():
    """Each pixel knows its place, so a crop tells its offset."""
    count, padding = 20_000, 4
    places = np.arange(1, 31, dtype=np.float32).reshape(1, 6, 5, 1)
    images = np.broadcast_to(places, (count, 6, 5, 1))
    crops = _numpy(RandomCrop(padding)(images, np.arange(count)))
    offsets = {
        np.pad(places[0, :, :, 0], padding)[
            top : top + 6, left : left + 5
        ].tobytes(): top * 9 + left
        for top in range(9)
        for left in range(9)
    }
    assert len(offsets) == 81
    drawn = [offsets[crop.tobytes()] for crop in crops[..., 0]]
    observed = np.bincount(drawn, minlength=81)
    assert observed.min() > 0
    expected = count / 81
    statistic = np.sum((observed - expected) ** 2 / expected)
    assert chi2.sf(statistic, 80) > 1e-3


def test_a_crop_does_not_depend_on_its_neighbours():
    together = _numpy(RandomCrop(4)(IMAGES, KEYS))
    order = np.random.RandomState(1).permutation(40)[:13]
    apart = _numpy(RandomCrop(4)(IMAGES[order], KEYS[order]))
    np.testing.assert_array_equal(apart, together[order])


def test_outside_of_training_images_pass_unchanged():
    got = RandomCrop(4)(IMAGES, KEYS, training=False)
    np.testing.assert_array_equal(_numpy(got), IMAGES)


def _model() -> keras.Model:
    pixels = keras.Input((6, 5, 3))
    keys = keras.Input((), dtype="uint32")
    return keras.Model([pixels, keys], RandomCrop(2, name="crop")(pixels, keys))


def test_in_a_functional_model_it_crops_in_training_only(crops, tmp_path):
    model = _model()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("crop").padding == 2
    for one in (model, loaded):
        got = _numpy(one([IMAGES, KEYS], training=True))
        np.testing.assert_array_equal(got, crops(IMAGES, KEYS, 2))
        got = one.predict([IMAGES, KEYS], verbose=0)
        np.testing.assert_array_equal(got, IMAGES)


def test_it_does_not_put_other_layers_into_training():
    """A default handed on by Keras would switch dropout on."""
    pixels = keras.Input((6, 5, 3))
    keys = keras.Input((), dtype="uint32")
    cropped = RandomCrop(0)(pixels, keys)
    model = keras.Model([pixels, keys], keras.layers.Dropout(0.9)(cropped))
    np.testing.assert_array_equal(_numpy(model([IMAGES, KEYS])), IMAGES)


def test_another_keras_program_trains_with_it():
    """A model learns from crops whether an image is bright."""
    pixels = keras.Input((6, 5, 3))
    keys = keras.Input((), dtype="uint32")
    x = RandomCrop(1)(pixels, keys)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model([pixels, keys], keras.layers.Dense(1)(x))
    bright = np.arange(40) % 2
    images = IMAGES / 512 + bright[:, None, None, None]
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    history = model.fit([images, KEYS], bright, epochs=5, verbose=0)
    losses = history.history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about TensorFlow graphs"
)
def test_it_works_in_a_loop_within_a_graph(crops):
    import tensorflow as tf

    layer = RandomCrop(2)

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
        want = crops(want, KEYS + np.uint32(step), 2)
    np.testing.assert_array_equal(thrice(IMAGES, KEYS).numpy(), want)


def test_jax_gives_the_same_bytes_in_a_loop_within_a_program(crops, on_jax):
    program = """
import sys
import jax
import numpy as np
from kresnet.layers import RandomCrop

images, keys = np.load("images.npy"), np.load("keys.npy")
layer = RandomCrop(2)
for dtype in ("float32", "uint8"):
    out = jax.jit(lambda images, keys: jax.lax.fori_loop(
        0, 3, lambda i, x: layer(x, keys + i.astype("uint32")), images
    ))(images.astype(dtype), keys)
    sys.stdout.buffer.write(np.asarray(out).astype("float32").tobytes())
"""
    want = IMAGES
    for step in range(3):
        want = crops(want, KEYS + np.uint32(step), 2)

    assert on_jax(program, images=IMAGES, keys=KEYS) == want.tobytes() * 2


def test_it_knows_the_shape_and_type_it_returns():
    shape = (None, 32, 32, 3)
    layer = RandomCrop(4)
    assert layer.compute_output_shape(shape, (None,)) == shape
    for dtype in ("uint8", "float32", "float64"):
        images = keras.Input(shape[1:], dtype=dtype)
        output = layer(images, keras.Input((), dtype="uint32"))
        assert output.shape == shape
        assert output.dtype == dtype


def test_its_configuration_rebuilds_it():
    layer = RandomCrop(3, name="crop")
    copy = RandomCrop.from_config(layer.get_config())
    assert (copy.padding, copy.name) == (3, "crop")


@pytest.mark.parametrize("padding", [-1, 2**15])
def test_an_impossible_padding_is_refused(padding):
    with pytest.raises(ValueError, match="`padding` must"):
        RandomCrop(padding)


def test_a_padding_of_numpy_s_is_no_byte():
    images = np.ones((60, 90, 90, 1), "uint8")
    keys = np.arange(60, dtype="uint32")
    np.testing.assert_array_equal(
        RandomCrop(np.uint8(130))(images, keys), RandomCrop(130)(images, keys)
    )
