"""Colours of mean zero and deviation one."""

import keras
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from kresnet.layers import ChannelStandardize

IMAGES = np.random.RandomState(0).randint(0, 256, (2_500, 4, 5, 3), np.uint8)
IMAGES[..., 2] //= 4  # channels differ


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture
def layer() -> ChannelStandardize:
    layer = ChannelStandardize()
    layer.adapt(IMAGES)
    return layer


def test_it_agrees_with_scikit_learn(layer):
    """Both divide the sum of squares by the number of pixels."""
    colours = IMAGES.reshape(-1, 3).astype("float64")
    want = StandardScaler().fit_transform(colours).reshape(IMAGES.shape)

    got = _numpy(layer(IMAGES))

    assert got.dtype == np.float32
    assert got.min() < 0
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_the_training_set_then_has_mean_zero_and_deviation_one(layer):
    got = _numpy(layer(IMAGES)).astype("float64")

    np.testing.assert_allclose(got.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(got.std(axis=(0, 1, 2)), 1, rtol=1e-6)


def test_the_scale_of_the_images_does_not_matter(layer):
    other = ChannelStandardize()
    other.adapt(IMAGES / 255)

    got = _numpy(other(IMAGES / 255))

    np.testing.assert_allclose(got, _numpy(layer(IMAGES)), rtol=1e-5, atol=1e-6)


def test_a_channel_that_does_not_vary_becomes_zero():
    images = IMAGES.copy()
    images[..., 1] = 77
    layer = ChannelStandardize()
    layer.adapt(images)

    got = _numpy(layer(images))

    np.testing.assert_array_equal(got[..., 1], 0)
    assert got[..., 0].std() == pytest.approx(1, rel=1e-5)


def test_its_weights_are_not_trained(layer):
    assert [w.name for w in layer.weights] == ["mean", "deviation"]
    assert layer.trainable_weights == []
    assert {w.dtype for w in layer.weights} == {"float32"}


def test_before_it_is_adapted_the_layer_only_converts():
    got = _numpy(ChannelStandardize()(IMAGES[:5]))
    np.testing.assert_array_equal(got, IMAGES[:5].astype(np.float32))


def test_it_is_saved_and_loaded_within_a_model(layer, tmp_path):
    pixels = keras.Input((4, 5, 3), dtype="uint8")
    model = keras.Model(pixels, layer(pixels))
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    want = _numpy(layer(IMAGES[:5]))
    for one in (model, loaded):
        got = one.predict(IMAGES[:5], verbose=0)
        np.testing.assert_array_equal(got, want)


def test_it_knows_the_shape_it_returns():
    shape = (None, 32, 32, 3)
    assert ChannelStandardize().compute_output_shape(shape) == shape
