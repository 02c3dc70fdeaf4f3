"""FancyPCA: one shift of colour an image, from its key alone."""

import keras
import numpy as np
import pytest
from scipy.stats import chi2_contingency, kstest

from kresnet.layers import FancyPCA, RandomCrop, RandomFlip

RNG = np.random.RandomState(0)
MIX = np.array([[0.2, 0.02, 0.0], [0.2, 0.0, 0.01], [0.2, -0.02, -0.01]])
IMAGES = (0.4 + RNG.normal(size=(2_500, 4, 5, 3)) @ MIX.T).astype("float32")
COVARIANCE = np.cov(IMAGES.reshape(-1, 3).astype("f8"), rowvar=False, bias=True)
KEYS = RNG.randint(0, 2**32, len(IMAGES), dtype=np.uint32)
COUNT = 40_000
MANY = np.arange(COUNT, dtype=np.uint32)


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture
def layer() -> FancyPCA:
    layer = FancyPCA(0.1)
    layer.adapt(IMAGES)
    return layer


def _shifts(layer, keys) -> np.ndarray:
    zeros = np.zeros((len(keys), 1, 1, 3), "float32")
    return _numpy(layer(zeros, keys))[:, 0, 0].astype("float64")


def test_axes_and_eigenvalues_are_those_of_the_training_pixels(layer):
    """C = P diag(λ) Pᵀ with P orthogonal, the largest λ first."""
    axes, eigenvalues = _numpy(layer.axes), _numpy(layer.eigenvalues)

    assert (np.diff(eigenvalues) < 0).all()
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    got = axes @ np.diag(eigenvalues) @ axes.T
    np.testing.assert_allclose(got, COVARIANCE, atol=1e-7)


def test_the_largest_component_of_every_axis_is_positive(layer):
    """Of the two directions of an axis one is chosen, on every machine."""
    axes = _numpy(layer.axes)
    assert (axes[np.abs(axes).argmax(axis=0), range(3)] > 0).all()

    # A mirrored data set has the same axes, and so must get the same weights.
    mirrored = FancyPCA()
    mirrored.adapt(1 - IMAGES.astype("float64"))
    np.testing.assert_allclose(mirrored.axes, axes, atol=1e-5)


def test_every_pixel_of_an_image_gets_the_published_shift(
    layer, documented_draw
):
    """[p1, p2, p3] [α1 λ1, α2 λ2, α3 λ3]ᵀ, α the documented draws."""
    from scipy.stats import norm

    streams = (0x70636130, 0x70636131, 0x70636132)
    keys = KEYS[:50]
    draws = [
        [documented_draw(int(key), stream, 2**16) for stream in streams]
        for key in keys
    ]
    alpha = 0.1 * norm.ppf((np.array(draws) + 0.5) / 2**16)
    shifts = (alpha * _numpy(layer.eigenvalues)) @ _numpy(layer.axes).T

    got = _numpy(layer(IMAGES[:50], keys))

    assert got.dtype == np.float32
    want = IMAGES[:50] + shifts[:, None, None, :]
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert np.abs(shifts).max() > 1e-3


def test_shift_covariance_is_the_squared_rgb_covariance(layer):
    """The shift is axes @ (alpha * eigenvalues): covariance stddev² C²."""
    want = 0.1**2 * COVARIANCE @ COVARIANCE

    shifts = _shifts(layer, MANY)

    got = np.cov(shifts, rowvar=False)
    np.testing.assert_allclose(got, want, atol=0.05 * want.max())
    # Along the axes too, where the smaller two would drown.
    axes = np.linalg.eigh(COVARIANCE)[1]
    along = np.var(shifts @ axes, axis=0)
    np.testing.assert_allclose(along, np.diag(axes.T @ want @ axes), rtol=0.05)
    assert np.abs(shifts.mean(axis=0)).max() < 4 * (want.max() / COUNT) ** 0.5


def test_draws_along_the_axes_are_normal_and_independent(layer):
    axes, eigenvalues = _numpy(layer.axes), _numpy(layer.eigenvalues)
    alpha = _shifts(layer, MANY) @ axes / eigenvalues

    for i in range(3):
        assert kstest(alpha[:, i] / 0.1, "norm").pvalue > 1e-4
    for i, j in ((0, 1), (0, 2), (1, 2)):
        table = np.histogram2d(alpha[:, i] > 0, alpha[:, j] > 0, 2)[0]
        assert chi2_contingency(table).pvalue > 1e-4


def test_shifts_are_independent_of_crops_and_flips(layer):
    """An image brightened is not mirrored more often for it."""
    brighter = _shifts(layer, MANY).sum(axis=1) > 0
    places = np.broadcast_to(np.float32([[1], [2]]), (COUNT, 1, 2, 1))
    flipped = _numpy(RandomFlip()(places, MANY))[:, 0, 0, 0]
    cropped = _numpy(RandomCrop(1)(places, MANY))[:, 0].argmax(axis=1)[:, 0]
    for other in (flipped, cropped):
        assert len(set(other)) == 2
        table = np.histogram2d(brighter, other, 2)[0]
        assert chi2_contingency(table).pvalue > 1e-4


def test_a_shift_depends_on_the_key_and_not_on_place_or_neighbours(layer):
    """To the bit: one device or two, before and after a restart."""
    together = _numpy(layer(IMAGES, KEYS))
    order = np.random.RandomState(1).permutation(len(KEYS))[:131]
    restarted = FancyPCA(0.1)
    restarted.adapt(IMAGES)

    for again in (layer, restarted):
        apart = _numpy(again(IMAGES[order], KEYS[order]))
        np.testing.assert_array_equal(apart, together[order])
    assert not np.array_equal(
        _numpy(layer(IMAGES, KEYS + np.uint32(1))), together
    )


def test_outside_of_training_images_pass_unchanged(layer):
    got = _numpy(layer(IMAGES, KEYS, training=False))
    np.testing.assert_array_equal(got, IMAGES)

    got = _numpy(
        layer(np.full((5, 4, 5, 3), 7, "uint8"), KEYS[:5], training=False)
    )
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.full((5, 4, 5, 3), 7.0))


def test_shifts_grow_with_the_square_of_the_pixels_scale(layer):
    """Which is why pixels are rescaled first."""
    bright = FancyPCA(0.1)
    bright.adapt(255 * IMAGES)

    got = _shifts(bright, KEYS)

    np.testing.assert_allclose(got, 255**2 * _shifts(layer, KEYS), rtol=1e-3)


def test_subtracting_a_mean_does_not_matter(layer):
    centred = FancyPCA(0.1)
    centred.adapt(part - np.float32(0.4) for part in (IMAGES[:9], IMAGES[9:]))

    np.testing.assert_allclose(
        _shifts(centred, KEYS), _shifts(layer, KEYS), atol=1e-7
    )


def test_before_it_is_adapted_nothing_is_shifted():
    got = _numpy(FancyPCA()(IMAGES, KEYS))
    np.testing.assert_array_equal(got, IMAGES)


def test_its_weights_are_not_trained(layer):
    assert [w.name for w in layer.weights] == ["axes", "eigenvalues"]
    assert layer.trainable_weights == []


def test_in_a_functional_model_it_shifts_in_training_only(layer, tmp_path):
    pixels = keras.Input((4, 5, 3))
    keys = keras.Input((), dtype="uint32")
    model = keras.Model([pixels, keys], layer(pixels, keys))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].stddev == 0.1
    want = _numpy(layer(IMAGES, KEYS))
    for one in (model, loaded):
        got = _numpy(one([IMAGES, KEYS], training=True))
        np.testing.assert_array_equal(got, want)
        got = one.predict([IMAGES, KEYS], verbose=0)
        np.testing.assert_array_equal(got, IMAGES)


def test_it_does_not_put_other_layers_into_training(layer):
    """A default handed on by Keras would switch dropout on."""
    pixels = keras.Input((4, 5, 3))
    keys = keras.Input((), dtype="uint32")
    x = FancyPCA(0)(pixels, keys)
    model = keras.Model([pixels, keys], keras.layers.Dropout(0.9)(x))
    np.testing.assert_array_equal(_numpy(model([IMAGES, KEYS])), IMAGES)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about TensorFlow graphs"
)
def test_it_works_in_a_loop_within_a_graph(layer):
    import tensorflow as tf

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 4, 5, 3], "float32"),
            tf.TensorSpec([None], "uint32"),
        ]
    )
    def thrice(images, keys):
        for step in tf.range(3):
            images = layer(images, keys + tf.cast(step, "uint32"))
        return images

    want = IMAGES
    for step in range(3):
        want = _numpy(layer(want, KEYS + np.uint32(step)))
    np.testing.assert_allclose(thrice(IMAGES, KEYS), want, atol=1e-6)


def test_jax_shifts_the_same_but_for_rounding(layer, on_jax):
    program = """
import sys
import jax
import numpy as np
from kresnet.layers import FancyPCA

images, keys = np.load("images.npy"), np.load("keys.npy")
layer = FancyPCA(0.1)
layer.adapt(images)
out = jax.jit(lambda images, keys: jax.lax.fori_loop(
    0, 3, lambda i, x: layer(x, keys + i.astype("uint32")), images
))(images, keys)
sys.stdout.buffer.write(np.asarray(out).tobytes())
"""
    got = np.frombuffer(on_jax(program, images=IMAGES, keys=KEYS), "float32")

    want = IMAGES
    for step in range(3):
        want = _numpy(layer(want, KEYS + np.uint32(step)))
    np.testing.assert_allclose(got.reshape(want.shape), want, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 4, 5, 1), (5, 4, 5, 4), (5, 4, 3)])
def test_images_that_are_not_rgb_are_refused(shape):
    images = np.zeros(shape, "float32")
    with pytest.raises(ValueError, match=r"^`(images|data)` must"):
        FancyPCA().adapt(images)
    with pytest.raises(ValueError, match="`images` must"):
        FancyPCA()(images, KEYS[:5])


def test_a_negative_deviation_is_refused():
    with pytest.raises(ValueError, match="`stddev` must"):
        FancyPCA(-0.1)


def test_it_knows_the_shape_and_type_it_returns():
    shape = (None, 32, 32, 3)
    assert FancyPCA().compute_output_shape(shape, (None,)) == shape
    output = FancyPCA()(
        keras.Input(shape[1:], dtype="uint8"), keras.Input((), dtype="uint32")
    )
    assert output.shape == shape
    assert output.dtype == "float32"


def test_its_configuration_rebuilds_it():
    copy = FancyPCA.from_config(FancyPCA(0.2, name="colours").get_config())
    assert (copy.stddev, copy.name) == (0.2, "colours")
