"""The fixed split into training and validation images."""

import hashlib

import numpy as np
import pytest

from kresnet.data import split_train_validation


@pytest.mark.parametrize("validation", [0, 1, 5_000, 49_999])
def test_the_parts_hold_every_image_once(validation):
    train, held_out = split_train_validation(50_000, validation)
    assert (len(train), len(held_out)) == (50_000 - validation, validation)
    both = np.sort(np.concatenate([train, held_out]))
    np.testing.assert_array_equal(both, np.arange(50_000))
    for part in (train, held_out):
        assert part.dtype == np.int64
        assert np.all(np.diff(part) > 0)


def test_a_smaller_validation_part_is_within_a_larger_one():
    small = split_train_validation(50_000, 1_000)[1]
    large = split_train_validation(50_000, 5_000)[1]
    assert np.isin(small, large).all()


def test_held_out_images_come_from_everywhere():
    """Positions of a random sample are uniform: mean n/2, variance n²/12."""
    held_out = split_train_validation(50_000, 5_000)[1]
    error = 50_000 / 12**0.5 / 5_000**0.5
    assert abs(held_out.mean() - 25_000) < 4 * error


def test_the_split_is_the_same_on_every_machine():
    """Recorded once: published numbers belong to this split."""
    held_out = split_train_validation(50_000, 5_000)[1]
    digest = hashlib.sha256(held_out.astype("<i8").tobytes()).hexdigest()
    assert digest == (
        "c034e96728011346350fa78fc88b608f69403146d64a555679870c180cd8054d"
    )


@pytest.mark.parametrize("validation", [-1, 10, 11])
def test_an_impossible_split_is_refused(validation):
    with pytest.raises(ValueError, match="`validation` must"):
        split_train_validation(10, validation)
