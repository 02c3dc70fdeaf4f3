"""Scanned digits that come with scikit-learn: 8 × 8 pixels, 17 grey levels."""

import numpy as np

from kresnet.data.source import Dataset, make_dataset

# Divides every class evenly: 36 test images of each of the ten digits.
_TEST_PER_CLASS = 36
# A constant, so that the test set never depends on a run's seed. (Hexadecimal
# digits 17 to 32 of the fractional part of pi.)
_KEY = np.array([0x13198A2E03707344, 0], np.uint64)


def load_digits() -> Dataset:
    """Loads the 1,797 digits as 1,437 training and 360 test images.

    The data set has no split of its own. This one is fixed and stratified:
    the test set holds 36 images of each class, drawn by a counter-based
    permutation; both parts keep scikit-learn's order.

    Returns:
        A `Dataset` with pixels uint8 of shape `(N, 8, 8, 1)`, values 0 to 16.

    Reference:
        E. Alpaydin, C. Kaynak 1998, Optical Recognition of Handwritten Digits,
        UCI Machine Learning Repository (its test part).
    """
    from sklearn.datasets import load_digits as load

    bunch = load()
    images = bunch.images.astype(np.uint8)[..., np.newaxis]
    labels = bunch.target.astype(np.int32)
    draws = np.random.Philox(key=_KEY).random_raw(labels.size)
    order = np.argsort(draws, kind="stable")
    is_test = np.zeros(labels.size, bool)
    for digit in range(10):
        is_test[order[labels[order] == digit][:_TEST_PER_CLASS]] = True
    arrays = {
        "train_images": images[~is_test],
        "train_labels": labels[~is_test],
        "test_images": images[is_test],
        "test_labels": labels[is_test],
    }
    names = tuple(str(digit) for digit in bunch.target_names)
    return make_dataset("digits", names, arrays)
