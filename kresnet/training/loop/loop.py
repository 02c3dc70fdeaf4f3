"""The loop over the iterations of a run.

They are done in chunks, each in one call of the backend. A chunk ends where a
callback has something to do (`next_due`), lasts about half a second, so that
signals and losses that are not finite are acted on soon, and holds at most
`Steps.capacity` iterations. What is computed does not depend on where chunks
end.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from kresnet.callbacks import IterationCallback
from kresnet.data import Order
from kresnet.spec import Spec

if TYPE_CHECKING:
    from kresnet.training.loop.steps_tensorflow import Steps

SECONDS = 0.5


def make_steps(
    model: keras.Model, spec: Spec, images: np.ndarray, labels: np.ndarray
) -> "Steps":
    """The updates of a model, on the current Keras backend.

    Args:
        model: Pixels and keys to logits, with an optimiser.
        spec: What is trained.
        images: All training images, uint8, which go to the device.
        labels: Theirs.
    """
    if keras.backend.backend() == "jax":
        from kresnet.training.loop.steps_jax import Steps

        return Steps(model, images, labels)
    from kresnet.training.loop.steps_tensorflow import Steps

    group = spec.model.batch_norm.images_per_statistic
    return Steps(model, images, labels, spec.training.batch_size, group)


def train_in_chunks(
    steps: "Steps",
    order: Order,
    first: int,
    last: int,
    callbacks: Sequence[keras.callbacks.Callback],
    iterations_per_second: Callable[[], float],
) -> None:
    """Trains from iteration `first` up to `last`, not included.

    Args:
        steps: Does the updates.
        order: Of the training images.
        first: The iterations done before.
        last: The iterations done in the end.
        callbacks: Their logs are one array each, one value an iteration.
        iterations_per_second: Measured speed, 0 while unknown; on all
            processes of a team the same.
    """
    every = keras.callbacks.CallbackList(
        callbacks, model=steps.model, logs_are_per_iteration=True
    )
    every.on_train_begin()
    while first < last:
        every.on_train_batch_begin(first)
        most = min(int(SECONDS * iterations_per_second()), steps.capacity)
        end = chunk_end(first, last, callbacks, most)
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

    Args:
        first: The iterations done before it.
        last: The iterations done in the end.
        callbacks: The `IterationCallback`s among them are asked `next_due`.
        most: Iterations in a chunk; one is done at least.
    """
    due = (
        callback.next_due(first)
        for callback in callbacks
        if isinstance(callback, IterationCallback)
    )
    return min(last, first + max(1, most), *(d for d in due if d is not None))
