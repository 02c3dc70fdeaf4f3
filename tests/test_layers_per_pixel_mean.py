"""The mean image: adapted once, subtracted as a float."""

import keras
import numpy as np
import pytest

from kresnet.layers import PerPixelMean

IMAGES = np.random.RandomState(0).randint(0, 256, (2_500, 4, 4, 3), np.uint8)
MEAN = IMAGES.astype(np.float64).mean(axis=0)


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture
def layer() -> PerPixelMean:
    layer = PerPixelMean()
    layer.adapt(IMAGES)
    return layer


def test_pixels_below_the_mean_become_negative(layer):
    """Bytes would wrap around: 0 - 128 is 128 in them."""
    black = np.zeros((1, 4, 4, 3), np.uint8)
    got = _numpy(layer(black))
    assert got.dtype == np.float32
    assert got.max() < -100
    np.testing.assert_allclose(got[0], -MEAN, rtol=1e-6)


def test_every_pixel_of_the_training_set_then_has_mean_zero(layer):
    got = _numpy(layer(IMAGES)).astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(got, np.zeros((4, 4, 3)), atol=1e-5)


def test_the_mean_is_one_float_weight_that_is_not_trained(layer):
    (weight,) = layer.weights
    assert weight.name == "mean"
    assert weight.dtype == "float32"
    assert layer.trainable_weights == []
    np.testing.assert_array_equal(_numpy(weight), MEAN.astype(np.float32))


def test_batches_give_the_mean_of_their_images_not_of_their_means():
    layer = PerPixelMean()
    layer.adapt(part for part in (IMAGES[:7], IMAGES[7:9], IMAGES[9:]))
    np.testing.assert_array_equal(_numpy(layer.mean), MEAN.astype(np.float32))


def test_the_sum_is_exact_where_float32_is_not():
    """In float32, adding 1 to 2**24 changes nothing."""
    layer = PerPixelMean()
    large = np.full((1, 1, 1, 1), 2.0**24, np.float32)
    ones = np.ones((2**10, 1, 1, 1), np.float32)
    layer.adapt([large, *([ones] * 16)])
    assert _numpy(layer.mean).item() == np.float32((2**24 + 2**14) / 16_385)


def test_adapting_again_starts_anew(layer):
    layer.adapt(IMAGES[:10])
    want = IMAGES[:10].mean(axis=0, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(_numpy(layer.mean), want)


def test_before_it_is_adapted_the_layer_only_converts():
    got = _numpy(PerPixelMean()(IMAGES[:5]))
    np.testing.assert_array_equal(got, IMAGES[:5].astype(np.float32))


@pytest.mark.parametrize("data", [IMAGES[:0], []])
def test_no_images_have_no_mean(data):
    with pytest.raises(ValueError, match="`data` must"):
        PerPixelMean().adapt(data)


def test_images_of_unknown_size_are_refused():
    with pytest.raises(ValueError, match="`images` must"):
        PerPixelMean()(keras.Input((None, 4, 3)))


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="JAX computes in float32 unless told otherwise",
)
def test_float64_stays_float64():
    layer = PerPixelMean(dtype="float64")
    layer.adapt(IMAGES)
    got = _numpy(layer(IMAGES[:3]))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, IMAGES[:3] - MEAN, rtol=1e-12, atol=1e-12)


def test_half_precision_subtracts_before_it_rounds():
    layer = PerPixelMean(dtype="mixed_float16")
    layer.adapt(IMAGES)
    got = _numpy(layer(IMAGES[:3]))
    want = (IMAGES[:3].astype("float32") - MEAN.astype("float32")).astype("f2")
    assert got.dtype == np.float16
    np.testing.assert_array_equal(got, want)


def test_it_is_saved_and_loaded_within_a_model(layer, tmp_path):
    pixels = keras.Input((4, 4, 3), dtype="uint8")
    model = keras.Model(pixels, layer(pixels))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    want = IMAGES[:5].astype(np.float32) - MEAN.astype(np.float32)
    for one in (model, loaded):
        got = one.predict(IMAGES[:5], verbose=0)
        np.testing.assert_array_equal(got, want)


def test_it_knows_the_shape_it_returns():
    shape = (None, 32, 32, 3)
    assert PerPixelMean().compute_output_shape(shape) == shape
    output = PerPixelMean()(keras.Input((32, 32, 3), dtype="uint8"))
    assert output.shape == shape
    assert output.dtype == "float32"
