"""Which images a split holds, and in which order a run sees them."""

import functools

import numpy as np

from kresnet.seeds import check_seed

# The split is part of the experiment, not of a run: a constant, not the seed.
# (First 16 hexadecimal digits of the fractional part of pi.)
_KEY = np.array([0x243F6A8885A308D3, 0], np.uint64)


def split_train_validation(
    count: int, validation: int
) -> tuple[np.ndarray, np.ndarray]:
    """Splits `count` images into a training and a validation part.

    The split depends on the two numbers only, never on a run's seed: runs
    with different seeds train on the same images and share adapted statistics.
    A smaller validation part is a subset of a larger one.

    Returns:
        Two sorted int64 arrays of positions, `(count - validation,)` of the
        training part and `(validation,)` of the validation part.

    Raises:
        ValueError: `validation` is not from 0 to `count` - 1.
    """
    if not 0 <= validation < count:
        raise ValueError(
            "`validation` must be at least 0 and less than `count`. "
            f"Received: validation={validation}, count={count}"
        )
    # A bit generator's raw stream is the same in every version of NumPy; what
    # Generator.permutation makes of it is not promised to be.
    draws = np.random.Philox(key=_KEY).random_raw(count)
    order = np.argsort(draws, kind="stable")
    return np.sort(order[validation:]), np.sort(order[:validation])


def seedless_sample(indices: np.ndarray, most: int) -> np.ndarray:
    """Chooses `most` of some indices, or all of them where there are no more.

    As `split_train_validation` it depends on no seed, and a smaller sample is
    a subset of a larger one. They rise.
    """
    if len(indices) <= most:
        return indices
    draws = np.random.Philox(key=_KEY).random_raw(int(indices.max()) + 1)
    order = np.argsort(draws[indices], kind="stable")
    return np.sort(indices[order[:most]])


# Words of the counter-based generator's key: they keep the uses apart.
_PERMUTATION = 1
_KEYS = 2
_VIEWS = 3
_ITERATION_KEYS = 4


class Order:
    """The order of images as a pure function of seed and iteration.

    Every epoch is a permutation of the images. Epochs run on through batch
    boundaries: position `j` of iteration `i` is image `i * batch_size + j` of
    the endless sequence of epochs, so no image is dropped and none is seen
    twice in an epoch. Nothing has to be saved to continue a run.

    All numbers come from the raw 64-bit words of Philox, a counter-based
    generator (Salmon et al. 2011): NumPy promises that the streams of its bit
    generators never change, and promises nothing of the kind for `Generator`'s
    methods.

    Args:
        indices: Integer array, the positions of the images to draw from.
        batch_size: Images per iteration, at least 1.
        seed: The run's seed, from 0 to 2**63 - 1.
        iteration_keys: Whether the network draws; see `batches`.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        indices: np.ndarray,
        batch_size: int,
        seed: int,
        iteration_keys: bool = False,
    ):
        self.indices = np.asarray(indices, np.int32)
        if self.indices.ndim != 1 or self.indices.size == 0:
            raise ValueError(
                "`indices` must be a one-dimensional array that is not empty. "
                f"Received: shape={self.indices.shape}"
            )
        if batch_size < 1:
            raise ValueError(
                "`batch_size` must be at least 1. "
                f"Received: batch_size={batch_size}"
            )
        self.batch_size = batch_size
        self.seed = check_seed(seed)
        self.iteration_keys = iteration_keys
        # Two, because a batch may hold the end of one and the next's start.
        self._epoch = functools.lru_cache(maxsize=2)(self._drawn_epoch)

    def batches(
        self, first_iteration: int, count: int
    ) -> tuple[np.ndarray, ...]:
        """Returns the images and keys of `count` iterations.

        Args:
            first_iteration: Iterations done before, at least 0.
            count: Number of iterations.

        Returns:
            Two arrays of shape `(count, batch_size)`: entries of `indices`
            (int32), and the keys of the random layers (uint32). With
            `iteration_keys` the latter have shape `(count, batch_size, 2)`:
            the image's key, and the iteration's, the same for all its images.

        Raises:
            ValueError: A number is negative.
        """
        if first_iteration < 0 or count < 0:
            raise ValueError(
                "`first_iteration` and `count` must not be negative. Received: "
                f"first_iteration={first_iteration}, count={count}"
            )
        images = np.empty((count, self.batch_size), np.int32)
        keys = np.empty((count, self.batch_size), np.uint32)
        of_iterations = np.empty_like(keys)
        for row in range(count):
            iteration = first_iteration + row
            images[row], _ = self._images_and_views(iteration)
            keys[row] = self._keys(_KEYS, iteration, self.batch_size)
            if self.iteration_keys:
                of_iterations[row] = self._keys(_ITERATION_KEYS, iteration, 1)
        if not self.iteration_keys:
            return images, keys
        return images, np.stack([keys, of_iterations], axis=-1)

    def batch(self, iteration: int) -> tuple[np.ndarray, ...]:
        """Returns images and keys of one iteration, `(batch_size,)` each."""
        return tuple(each[0] for each in self.batches(iteration, 1))

    def view_keys(self, iteration: int) -> np.ndarray:
        """The keys by which a source draws an iteration's images, uint64."""
        return self._images_and_views(iteration)[1]

    def close(self) -> None:
        """Ends what reads ahead; see `Feed`. Here nothing does."""

    def _images_and_views(self, iteration: int) -> tuple[np.ndarray, ...]:
        """Images of an iteration, and the keys by which a source draws them.

        Such a key, uint64, depends on the seed, the epoch and the image alone:
        not on the size of a batch, nor on which images are trained on.
        """
        parts = []
        position = iteration * self.batch_size
        end = position + self.batch_size
        while position < end:
            epoch, place = divmod(position, self.indices.size)
            stop = min(self.indices.size, place + end - position)
            parts.append([x[place:stop] for x in self._epoch(epoch)])
            position += stop - place
        images, views = map(np.concatenate, zip(*parts, strict=True))
        return images, views

    def _drawn_epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Images and view keys of an epoch."""
        raw = self._raw(_PERMUTATION, epoch, self.indices.size)
        images = self.indices[np.argsort(raw, kind="stable")]
        views = self._raw(_VIEWS, epoch, int(images.max()) + 1)[images]
        return images, views

    def _keys(self, use: int, number: int, count: int) -> np.ndarray:
        return self._raw(use, number, count) >> np.uint64(32)

    def _raw(self, use: int, number: int, count: int) -> np.ndarray:
        """The first `count` 64-bit words of one of the seed's streams."""
        # The generator counts up in the counter's first word, so streams that
        # differ in the second never meet.
        return np.random.Philox(
            key=np.array([self.seed, use], np.uint64),
            counter=np.array([0, number, 0, 0], np.uint64),
        ).random_raw(count)
