"""The mean over rows and columns."""

import keras
import numpy as np
import pytest

from kresnet.layers import GlobalAveragePool

IMAGES = np.random.default_rng(0).normal(size=(2, 7, 6, 3)).astype("float32")


def test_sizes_may_be_unknown():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, GlobalAveragePool()(inputs))

    for images in (IMAGES, IMAGES[:, :4, :5]):
        got = model.predict(images, verbose=0)
        np.testing.assert_allclose(got, images.mean((1, 2)), atol=1e-6)


def test_what_are_no_images_is_refused():
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=2"):
        GlobalAveragePool()(keras.Input((3,)))


def test_the_mean_of_bytes_is_no_byte():
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 2), "uint8")
    np.testing.assert_allclose(
        GlobalAveragePool()(images), images.mean((1, 2)), rtol=1e-6
    )
