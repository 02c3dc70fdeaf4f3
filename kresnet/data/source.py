"""What a data set is: pixels, labels, and a fingerprint of both."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with labels, split into training and test set.

    Attributes:
        name: The name a spec uses.
        class_names: One name per label, in the order of the labels.
        train_images: uint8, shape `(N, height, width, channels)`.
        train_labels: int32, shape `(N,)`, from 0 to the number of classes - 1.
        test_images: uint8, as `train_images`.
        test_labels: int32, as `train_labels`.
        fingerprint: SHA-256 of the contents, hexadecimal: equal wherever and
            however the same images, labels and names were read.
    """

    name: str
    class_names: tuple[str, ...]
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    fingerprint: str


def make_dataset(
    name: str, class_names: tuple[str, ...], arrays: dict[str, np.ndarray]
) -> Dataset:
    """Puts the arrays of a data set together, fingerprinted and read-only.

    Args:
        name: Of the data set.
        class_names: In the order of the labels.
        arrays: Named as in `ARRAYS`: images uint8
            `(count, height, width, channels)`, labels int32 `(count,)`.
    """
    digest = hashlib.sha256(json.dumps([name, class_names]).encode())
    for key in ARRAYS:
        array = np.ascontiguousarray(arrays[key])
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(array.data)
        array.setflags(write=False)  # as the arrays mapped from a cache are
    return Dataset(
        name=name,
        class_names=tuple(class_names),
        fingerprint=digest.hexdigest(),
        **arrays,
    )
