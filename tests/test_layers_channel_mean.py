"""The mean colour: adapted once, subtracted as a float."""

import keras
import numpy as np
import pytest

from kresnet.layers import ChannelMean

IMAGES = np.random.RandomState(0).randint(0, 256, (2_500, 4, 5, 3), np.uint8)
IMAGES[..., 2] //= 4  # channels differ
MEAN = IMAGES.mean(axis=(0, 1, 2), dtype=np.float64)


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture
def layer() -> ChannelMean:
    layer = ChannelMean()
    layer.adapt(IMAGES)
    return layer


def test_pixels_below_the_mean_become_negative(layer):
    """Bytes would wrap around: 0 - 128 is 128 in them."""
    got = _numpy(layer(np.zeros((2, 4, 5, 3), np.uint8)))

    assert got.dtype == np.float32
    want = np.broadcast_to(-MEAN, got.shape)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert got[..., :2].max() < -100


def test_every_channel_of_the_training_set_then_has_mean_zero(layer):
    got = _numpy(layer(IMAGES)).mean(axis=(0, 1, 2), dtype=np.float64)

    np.testing.assert_allclose(got, np.zeros(3), atol=1e-5)


def test_every_place_loses_the_same(layer):
    lost = IMAGES[:9].astype("float32") - _numpy(layer(IMAGES[:9]))

    np.testing.assert_allclose(lost, np.broadcast_to(MEAN, lost.shape), 1e-5)


def test_the_mean_is_one_number_a_channel_and_not_trained(layer):
    (weight,) = layer.weights
    assert (weight.name, weight.dtype) == ("mean", "float32")
    assert layer.trainable_weights == []
    np.testing.assert_array_equal(_numpy(weight), MEAN.astype(np.float32))


def test_batches_give_the_mean_of_their_pixels(layer):
    other = ChannelMean()
    other.adapt(part for part in (IMAGES[:7], IMAGES[7:9], IMAGES[9:]))
    np.testing.assert_array_equal(_numpy(other.mean), _numpy(layer.mean))


def test_before_it_is_adapted_the_layer_only_converts():
    got = _numpy(ChannelMean()(IMAGES[:5]))
    np.testing.assert_array_equal(got, IMAGES[:5].astype(np.float32))


def test_it_is_saved_and_loaded_within_a_model(layer, tmp_path):
    pixels = keras.Input((4, 5, 3), dtype="uint8")
    model = keras.Model(pixels, layer(pixels))
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert loaded.output.dtype == "float32"
    want = IMAGES[:5].astype(np.float32) - MEAN.astype(np.float32)
    for one in (model, loaded):
        got = one.predict(IMAGES[:5], verbose=0)
        np.testing.assert_array_equal(got, want)


def test_it_knows_the_shape_it_returns():
    shape = (None, 32, 32, 3)
    assert ChannelMean().compute_output_shape(shape) == shape
