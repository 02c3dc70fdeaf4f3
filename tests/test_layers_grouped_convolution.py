"""Convolutions in groups: what Keras' own computes, at another cost."""

import keras
import numpy as np
import pytest

from kresnet.layers import GroupedConvolution

IMAGES = np.random.default_rng(0).normal(size=(2, 9, 9, 8))


@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize(
    "fields",
    [
        {"padding": "same", "use_bias": False},
        {"padding": "valid", "strides": 2},
        {"padding": "same", "dilation_rate": 2},
    ],
)
def test_it_computes_what_keras_own_does(groups, fields, float64):
    theirs = keras.layers.Conv2D(16, 3, groups=groups, **fields)
    theirs.build(IMAGES.shape)
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=w.shape) for w in theirs.weights]
    theirs.set_weights(weights)
    ours = GroupedConvolution(16, 3, groups=groups, **fields)
    ours.build(IMAGES.shape)
    ours.set_weights(weights)

    np.testing.assert_allclose(ours(IMAGES), theirs(IMAGES), atol=1e-12)


def test_it_survives_being_saved(tmp_path):
    model = keras.Sequential(
        [keras.Input((9, 9, 8)), GroupedConvolution(4, 3, groups=4)]
    )
    model.save(tmp_path / "model.keras")

    again = keras.saving.load_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(
        model.predict(IMAGES, verbose=0), again.predict(IMAGES, verbose=0)
    )
