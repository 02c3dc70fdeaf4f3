"""Scikit-learn's digits and their fixed split."""

import numpy as np
import pytest
from sklearn.datasets import load_digits as original

from kresnet.data import load_dataset


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def test_the_parts_have_the_promised_shapes(digits):
    assert digits.train_images.shape == (1_437, 8, 8, 1)
    assert digits.test_images.shape == (360, 8, 8, 1)
    for images in (digits.train_images, digits.test_images):
        assert images.dtype == np.uint8
        assert (images.min(), images.max()) == (0, 16)
    for labels in (digits.train_labels, digits.test_labels):
        assert labels.dtype == np.int32
    assert digits.class_names == tuple("0123456789")


def test_the_parts_are_the_original_images_with_their_labels(digits):
    bunch = original()
    want = sorted(
        (image.tobytes(), label)
        for image, label in zip(
            bunch.images.astype(np.uint8), bunch.target, strict=True
        )
    )
    images = np.concatenate([digits.train_images, digits.test_images])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    got = sorted(
        (image.tobytes(), label)
        for image, label in zip(images, labels, strict=True)
    )
    assert got == want


def test_the_test_set_holds_36_images_of_each_class(digits):
    assert np.bincount(digits.test_labels).tolist() == [36] * 10


def test_the_split_is_the_same_on_every_machine(digits):
    """Recorded once: the test set must not move between versions."""
    assert digits.fingerprint == (
        "582fcb8b24d2f2d0b20f1f6e722514b5f25f22502bdda540e42435da1f9b1b47"
    )


def test_arrays_are_read_only(digits):
    with pytest.raises(ValueError, match="read-only"):
        digits.train_images[0, 0, 0, 0] = 1


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"`name` must be .*'mnist'"):
        load_dataset("mnist")
