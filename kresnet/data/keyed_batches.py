"""Images with keys for `fit`, in other Keras programs."""

import keras
import numpy as np

from kresnet.callbacks.arguments import check_integer
from kresnet.data.order import Order


class KeyedBatches(keras.utils.PyDataset):
    """Batches of images, keys and labels whose keys differ by epoch.

    A random layer changes an image by its key alone, so an array of keys would
    bring the same crops in every epoch. Here order and keys are those of
    `Order`: functions of the seed and the iteration. Every batch is whole,
    since batches run through the end of an epoch. With `shuffle=False` the
    iterations come in their order; else `fit` shuffles those of an epoch.

    An epoch has as many iterations as whole batches fit into the images. Leave
    `steps_per_epoch` of `fit` out. A second `fit`, or a second loop over the
    batches, goes on where the first ended. On JAX Keras takes a batch to build
    the model: where an epoch has only one, the first epoch of the training is
    the second of the order.

    Args:
        images: Array, shape `(count, height, width, channels)`.
        labels: Array, shape `(count, …)`.
        batch_size: Integer from 1 to `count`, images per iteration.
        seed: Integer from 0 to 2**63 - 1.
        first_epoch: Integer, at least 0, to go on with: the `initial_epoch` of
            `fit`. Defaults to `0`.

    Returns:
        `((images, keys), labels)` by the number of the batch in the epoch;
        keys are uint32 of shape `(batch_size,)`.

    Raises:
        ValueError: An argument is out of range, or the numbers of images and
            labels differ.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        seed: int,
        first_epoch: int = 0,
    ):
        super().__init__()
        self.images = np.asarray(images)
        self.labels = np.asarray(labels)
        if self.labels.shape[:1] != self.images.shape[:1]:
            raise ValueError(
                "`images` and `labels` must be of one number. Received: "
                f"images.shape={self.images.shape}, "
                f"labels.shape={self.labels.shape}"
            )
        count = len(self.images)
        batch_size = check_integer("batch_size", batch_size, 1, count)
        seed = check_integer("seed", seed, 0, 2**63 - 1)
        self._order = Order(np.arange(count), batch_size, seed)
        self._epoch = check_integer("first_epoch", first_epoch, 0)
        self._begun = False
        self._given = 0

    def __len__(self) -> int:
        return len(self.images) // self._order.batch_size

    def on_epoch_begin(self):
        """Goes on to the next epoch, if there was one; Keras calls it.

        Raises:
            ValueError: `workers` above one or processes were asked for: they
                take batches before an epoch begins.
        """
        if self.workers > 1 or self.use_multiprocessing:
            raise ValueError(
                "`workers` must be 1, without processes. Received: "
                f"workers={self.workers}, "
                f"use_multiprocessing={self.use_multiprocessing}"
            )
        # To build a model Keras begins an epoch and takes one batch of it.
        if self._begun and self._given > min(1, len(self) - 1):
            self._epoch += 1
        self._begun = True
        self._given = 0

    def __iter__(self):
        """The batches of the next epoch, in order."""
        self.on_epoch_begin()
        yield from super().__iter__()

    def __getitem__(self, index: int):
        """The batch of an iteration of this epoch; see the class."""
        if not 0 <= index < len(self):
            raise IndexError(
                f"`index` must be from 0 to {len(self) - 1}. "
                f"Received: index={index}"
            )
        self._given += 1
        iteration = self._epoch * len(self) + index
        places, keys = self._order.batch(iteration)
        return (self.images[places], keys), self.labels[places]
