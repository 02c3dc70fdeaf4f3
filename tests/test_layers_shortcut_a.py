"""Option A: subsampling and channels of zeros."""

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


def test_it_refuses_a_stride_below_one():
    with pytest.raises(ValueError, match="stride=0"):
        ShortcutA(width=2, stride=0)
