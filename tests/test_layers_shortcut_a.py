"""Option A: subsampling and channels of zeros."""

import keras
import numpy as np
import pytest

from kresnet.layers import ShortcutA


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [6, 7])
def test_it_keeps_every_stride_th_pixel_and_appends_zeros(stride, size):
    images = np.random.default_rng(0).normal(size=(2, size, size, 3))
    images = images.astype("float32")

    layer = ShortcutA(width=5, stride=stride)
    got = np.asarray(layer(images))

    np.testing.assert_array_equal(got[..., :3], images[:, ::stride, ::stride])
    np.testing.assert_array_equal(got[..., 3:], 0.0)
    assert layer.compute_output_shape(images.shape) == got.shape


def test_it_has_no_parameters():
    layer = ShortcutA(width=5, stride=2)
    layer(np.zeros((1, 4, 4, 3), "float32"))

    assert layer.count_params() == 0


def test_it_refuses_to_narrow():
    with pytest.raises(ValueError, match=r"width=2, 3 channels"):
        ShortcutA(width=2)(np.zeros((1, 4, 4, 3), "float32"))


@pytest.mark.parametrize(
    ("width", "stride"),
    [(2, 0), (2, 1.0), (2, True), (0, 1), (2.5, 1), (True, 1), (None, 1)],
)
def test_it_refuses_what_is_no_width_or_stride(width, stride):
    with pytest.raises(ValueError, match=r"must be an integer .* Received: "):
        ShortcutA(width, stride)


def test_height_and_width_may_be_unknown():
    images = np.random.default_rng(0).normal(size=(2, 7, 6, 3))
    inputs = keras.Input((None, 6, 3))
    outputs = ShortcutA(width=5, stride=2)(inputs)

    assert outputs.shape == (None, None, 3, 5)
    got = keras.Model(inputs, outputs).predict(images, verbose=0)
    assert got.shape == (2, 4, 3, 5)


def test_it_refuses_what_are_no_images_with_channels():
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=2"):
        ShortcutA(5)(keras.Input((3,)))
    with pytest.raises(ValueError, match="known number of channels"):
        ShortcutA(5)(keras.Input((4, 4, None)))


def test_bytes_become_floats_as_the_layer_says():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3), "uint8")
    for stride in (1, 2):
        layer = ShortcutA(np.uint8(5), np.int8(stride))
        said = layer(keras.Input((500, 600, 3), dtype="uint8"))
        got = layer(images)
        assert said.shape[1:3] == (500 // stride, 600 // stride)
        assert said.dtype == keras.backend.standardize_dtype(got.dtype)
        np.testing.assert_array_equal(
            np.asarray(got)[..., :3], images[:, ::stride, ::stride]
        )
