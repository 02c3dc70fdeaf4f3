"""The loop over the iterations of a run.

They are done in chunks, each in one call of the backend. A chunk ends where a
callback has something to do (`next_due`), lasts about half a second, so that
signals and losses that are not finite are acted on soon, and holds at most
`Steps.capacity` iterations. What is computed does not depend on where chunks
end.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kresnet.callbacks import IterationCallback
from kresnet.data import Order, Source
from kresnet.network import training_inputs

SECONDS = 0.5


class Steps:
    """The updates of a training model; each backend has a subclass.

    The pixels of a source in memory are on the device, and an update is given
    the indices of its images; those of any other source come with each chunk.
    Tensors and arrays are those of the backend where nothing else is said.

    Args:
        model: Pixels and keys to logits, with an optimiser.
        source: Its labels, and images in memory, go to the device.

    Attributes:
        images: uint8, shape `(count, height, width, channels)`, on the device;
            `None` where they are handed in.
        labels: Integers, shape `(count,)`, on the device.
        capacity: The most iterations in a chunk.
    """

    capacity = 512
    # Puts an array on the device, or on all of them.
    _put: Callable[..., Any]
    # Not `keras.ops.mean`, which on JAX would take float64 to float32.
    _mean: Callable[..., Any]

    def __init__(self, model: keras.Model, source: Source):
        self.model = model
        self.images: Any = None
        if source.in_memory:
            self.images = self._put(source.read("train", slice(None)))
        self.labels: Any = self._put(source.labels("train"))

    def run(
        self, indices: np.ndarray, keys: np.ndarray, *pixels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Does the updates of a chunk; afterwards see `sync`.

        Args:
            indices: int32, shape `(count, batch_size)`, of the images; the
                same on all processes.
            keys: uint32, as of `kresnet.data.Order.batches`.
            *pixels: uint8, shape `(count, batch_size, height, width,
                channels)`, where `images` is `None`.

        Returns:
            Loss and accuracy in [0, 1] of each batch before its update, NumPy
            arrays of shape `(count,)`.
        """
        raise NotImplementedError

    def sync(self) -> None:
        """Brings the variables of the model and its optimiser up to date.

        On JAX `run` keeps the state to itself, and they are empty after it.
        """

    def gradients(
        self, indices: np.ndarray, keys: np.ndarray, *pixels: np.ndarray
    ) -> list:
        """Gradients of the loss on one batch; nothing changes.

        Args:
            indices: int32, shape `(batch_size,)`.
            keys: uint32, as of `kresnet.data.Order.batch`.
            *pixels: As in `run`, of one batch.

        Returns:
            In the order of `model.trainable_variables`.
        """
        raise NotImplementedError

    def loss(
        self,
        trainable: Sequence,
        non_trainable: Sequence,
        pixels: Any,
        keys: Any,
        labels: Any,
    ) -> tuple[Any, tuple[Any, list]]:
        """Mean cross-entropy of a batch; a function of its arguments alone.

        Args:
            trainable: Values in the order of `model.trainable_variables`.
            non_trainable: In that of `model.non_trainable_variables`.
            pixels: uint8, shape `(batch, height, width, channels)`.
            keys: uint32, as of `kresnet.data.Order.batch`.
            labels: Integers, shape `(batch,)`.

        Returns:
            The loss; logits, and `non_trainable` as the batch has moved them:
            those that it does not move are the very objects that were given.
        """
        inputs = training_inputs(pixels, keys)
        logits, moved = self.model.stateless_call(
            trainable, non_trainable, inputs, training=True
        )
        losses = keras.losses.sparse_categorical_crossentropy(
            labels, logits, from_logits=True
        )
        return self._mean(losses), (logits, moved)


def train_in_chunks(
    steps: Steps,
    order: Order,
    first: int,
    last: int,
    callbacks: Sequence[keras.callbacks.Callback],
    iterations_per_second: Callable[[], float],
    agreed: Callable[[int], int] = lambda end: end,
) -> None:
    """Trains from iteration `first` up to `last`, not included.

    Args:
        steps: Does the updates.
        order: Of the training images; closed at the end.
        first: The iterations done before.
        last: The iterations done in the end.
        callbacks: Their logs are one array each, one value an iteration.
        iterations_per_second: Measured speed, 0 while unknown.
        agreed: Takes where this process would end a chunk, and returns where
            all of its team do.
    """
    every = keras.callbacks.CallbackList(
        callbacks, model=steps.model, logs_are_per_iteration=True
    )
    with contextlib.closing(order):
        every.on_train_begin()
        while first < last:
            every.on_train_batch_begin(first)
            most = min(int(SECONDS * iterations_per_second()), steps.capacity)
            end = agreed(chunk_end(first, last, callbacks, most))
            losses, accuracies = steps.run(*order.batches(first, end - first))
            steps.sync()  # callbacks read the weights
            first = end
            every.on_train_batch_end(
                first - 1, {"loss": losses, "accuracy": accuracies}
            )
        every.on_train_end()


def chunk_end(
    first: int,
    last: int,
    callbacks: Sequence[keras.callbacks.Callback],
    most: int,
) -> int:
    """Where the chunk that begins with iteration `first` ends.

    It has one iteration at least, `most` at most, and ends at `last` or where
    an `IterationCallback` is due.
    """
    due = next_due(callbacks, first)
    return min(last, first + max(1, most), last if due is None else due)


def next_due(
    callbacks: Sequence[keras.callbacks.Callback], iteration: int
) -> int | None:
    """Where the first of the `IterationCallback`s is due; `None`: nowhere."""
    due = (
        each.next_due(iteration)
        for each in callbacks
        if isinstance(each, IterationCallback)
    )
    return min((each for each in due if each is not None), default=None)
