"""What a source of images is, and the one whose pixels are in memory."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from kresnet.data.order import split_train_validation

T = TypeVar("T")
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


class Source:
    """Images of one size with labels, split into training and test set.

    Whoever needs pixels asks `read`, or `images`, which asks it for them. A
    subclass whose pixels do not lie in memory brings `labels` and `read`.

    Attributes:
        name: The name a spec uses.
        class_names: One name per label, in the order of the labels.
        fingerprint: SHA-256 of the contents, hexadecimal: equal wherever and
            however the same images, labels and names were read.
        in_memory: Whether all pixels may be asked for at once and lie on the
            device during training. Else they are read for each batch.
    """

    name: str
    class_names: tuple[str, ...]
    fingerprint: str
    in_memory = False

    @property
    def versions(self) -> dict[str, str]:
        """The versions of what decodes images while a run trains, by name."""
        return {}

    @property
    def found(self) -> str:
        """How a message calls it that was to be the data of a run."""
        return f"{self.name} found here"

    @property
    def input(self) -> tuple[int, ...]:
        """Height, width and channels of an image."""
        raise NotImplementedError

    def labels(self, split: str) -> np.ndarray:
        """The labels of "train", "test", or another split that it has.

        They are int32, shape `(N,)`, from 0 to the number of classes - 1.
        """
        raise NotImplementedError

    def read(
        self,
        split: str,
        indices: np.ndarray | slice,
        keys: np.ndarray | None = None,
    ) -> np.ndarray:
        """Reads images, in the order of the indices.

        Training reads in a thread of its own, so two calls may run at once.

        Args:
            split: As for `labels`.
            indices: Integers, shape `(count,)`, or a slice: places in the
                split.
            keys: uint64, shape `(count,)`: what is drawn for an image depends
                on its key alone, and the key on seed, epoch and image. `None`
                for images as they are evaluated.

        Returns:
            uint8, shape `(count, height, width, channels)`.

        Raises:
            KresnetError: An image is missing, damaged, or has changed.
        """
        raise NotImplementedError

    def whole(
        self, split: str, index: int, use: Callable[[np.ndarray], T]
    ) -> T:
        """Reads an image as large as it is, upright, without a view.

        Args:
            split: As for `labels`.
            index: Its place in the split.
            use: Is given the image, uint8, shape `(height, width, channels)`;
                of a source of images of all sizes, with its own height and
                width. A `KresnetError` that it raises gets the image's name.

        Returns:
            What `use` returns.

        Raises:
            KresnetError: As of `read`.
        """
        return use(self.read(split, np.array([index]))[0])

    def parts(self, validation: int) -> tuple["Images", "Images"]:
        """The images to train on, and those held out.

        So many are held out of a source that has no others for it.
        """
        train, held_out = split_train_validation(
            len(self.labels("train")), validation
        )
        return self.images("train", train), self.images("train", held_out)

    def measured(self, images: "Images") -> "Images":
        """Those of some training images that statistics are measured on."""
        return images

    def images(self, split: str, indices: np.ndarray | None = None) -> "Images":
        """Images of a split, not read yet; `None` for all of it."""
        if indices is None:
            indices = np.arange(len(self.labels(split)))
        return Images(self, split, indices)


@dataclasses.dataclass(frozen=True, eq=False)
class Images:
    """Images of a source in some order, as they are evaluated.

    A slice of them reads their pixels: uint8, shape
    `(count, height, width, channels)`.

    Attributes:
        source: Has them.
        split: "train", "test", or another split of the source.
        indices: Integers, shape `(N,)`: their places in the split.
    """

    source: Source
    split: str
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, part: slice | np.ndarray) -> np.ndarray:
        return self.source.read(self.split, self.indices[part])

    def whole(self, place: int) -> np.ndarray:
        """Reads the image at a place as large as it is; see `Source.whole`."""
        index = int(self.indices[place])
        return self.source.whole(self.split, index, lambda pixels: pixels)

    def drawn(self, part: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Reads some of them as in training; see `Source.read`."""
        return self.source.read(self.split, self.indices[part], keys)

    @property
    def measured(self) -> "Images":
        """Those that statistics are measured on."""
        return self.source.measured(self)

    @property
    def labels(self) -> np.ndarray:
        """Their labels, int32, shape `(N,)`."""
        return self.source.labels(self.split)[self.indices]


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset(Source):
    """A source whose pixels are arrays in memory, or mapped from a file.

    Attributes:
        train_images: uint8, shape `(N, height, width, channels)`.
        train_labels: int32, shape `(N,)`.
        test_images: uint8, as `train_images`.
        test_labels: int32, as `train_labels`.
    """

    name: str
    class_names: tuple[str, ...]
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    fingerprint: str
    in_memory = True

    @property
    def input(self) -> tuple[int, ...]:
        return self.train_images.shape[1:]

    def labels(self, split):
        return {"train": self.train_labels, "test": self.test_labels}[split]

    def read(self, split, indices, keys=None):
        images = {"train": self.train_images, "test": self.test_images}[split]
        return images[indices]


def make_dataset(
    name: str, class_names: tuple[str, ...], arrays: dict[str, np.ndarray]
) -> Dataset:
    """Puts the arrays of a data set together, fingerprinted and read-only.

    They are named as in `ARRAYS`: images uint8 `(count, height, width,
    channels)`, labels int32 `(count,)`. Class names are in the order of the
    labels.
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
