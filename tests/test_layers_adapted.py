"""Statistics of data that come in parts."""

import numpy as np
import pytest

from kresnet.layers.adapted import (
    image_batches,
    mean_and_covariance,
    pixels,
)

ROWS = np.random.RandomState(0).normal(size=(1_000, 5)) @ np.diag(
    [1, 2, 3, 4, 5]
)


@pytest.mark.parametrize("parts", [[1_000], [1, 999], [300, 300, 400]])
def test_parts_give_the_mean_and_covariance_of_the_whole(parts):
    cuts = np.cumsum(parts)[:-1]

    mean, covariance = mean_and_covariance(iter(np.split(ROWS, cuts)))

    np.testing.assert_allclose(mean, ROWS.mean(axis=0), atol=1e-14)
    want = np.cov(ROWS, rowvar=False, bias=True)
    np.testing.assert_allclose(covariance, want, atol=1e-13)


def test_a_large_mean_does_not_drown_the_variance():
    """In float32 1e6 + 0.01 is 1e6, and squares of 1e6 need 13 digits more."""
    far = ROWS + 1e6

    mean, covariance = mean_and_covariance([far[:500], far[500:]])

    np.testing.assert_allclose(mean, far.mean(axis=0), rtol=1e-14)
    want = np.cov(far - 1e6, rowvar=False, bias=True)
    np.testing.assert_allclose(covariance, want, rtol=1e-6, atol=1e-6)


def test_bytes_and_float32_are_summed_in_float64():
    """In float32, adding 1 to 2**24 changes nothing."""
    bytes_ = np.full((2**12, 1), 255, np.uint8)
    mean, covariance = mean_and_covariance([bytes_] * 20)
    assert mean == 255
    assert covariance == 0

    large = np.full((1, 1), 2.0**24, np.float32)
    ones = np.ones((2**10, 1), np.float32)
    mean, _ = mean_and_covariance([large, *([ones] * 16)])
    assert mean == pytest.approx((2**24 + 2**14) / 16_385, rel=1e-12)


def test_covariances_are_symmetric_to_the_bit():
    _, covariance = mean_and_covariance([ROWS[:333], ROWS[333:]])

    np.testing.assert_array_equal(covariance, covariance.T)


def test_an_array_comes_in_bounded_batches_and_in_order():
    images = np.arange(2_345).reshape(-1, 1, 1, 1)

    batches = list(image_batches(images))

    assert max(map(len, batches)) == 1_000
    np.testing.assert_array_equal(np.concatenate(batches), images)


def test_empty_batches_are_passed_over_if_others_are_not():
    empty, full = np.zeros((0, 2, 2, 3)), np.ones((4, 2, 2, 3))

    assert len(list(image_batches([empty, full, empty]))) == 1
    for nothing in ([], [empty], empty):
        with pytest.raises(ValueError, match="`data` must"):
            list(image_batches(nothing))


def test_pixels_are_the_colours_of_all_places():
    images = np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3)

    [colours] = pixels([images])

    assert colours.shape == (40, 3)
    np.testing.assert_array_equal(colours[21], images[1, 0, 1])
