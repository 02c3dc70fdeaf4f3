"""Counting iterations, whatever a step of `fit` holds."""

import keras
import numpy as np


class IterationCallback(keras.callbacks.Callback):
    """A callback that knows the iteration: the number of updates done.

    It counts from the optimiser's own counter at the start of `fit`, so it is
    right after a restart, and works with `steps_per_execution` above one and
    with models whose logs hold an array, one value per iteration of the step.

    Subclasses read `self.iteration` in `on_train_batch_begin` (iterations done
    before the step) and in `on_train_batch_end` (including it); they call
    `super()` first in every hook they override.
    """

    iteration = 0

    def next_due(self, iteration: int) -> int | None:
        """The first iteration after `iteration` at which a step must end.

        `None`: this callback does not care. A training loop that runs many
        iterations in one step of `fit` asks this; `fit` itself does not.
        """
        return None

    def get_state(self) -> dict:
        """What a checkpoint must keep for an exact resume, as JSON values."""
        return {}

    def set_state(self, state: dict) -> None:
        """Takes back what `get_state` returned, before `fit`."""

    def on_train_begin(self, logs=None):
        """Takes the iteration from the optimiser."""
        # Converted, since int() of the variable fails under a strategy.
        iterations = self.model.optimizer.iterations.value
        self.iteration = int(keras.ops.convert_to_numpy(iterations))
        self._last_batch = -1

    def on_epoch_begin(self, epoch, logs=None):
        """Batches are counted anew in every epoch."""
        self._last_batch = -1

    def on_train_batch_end(self, batch, logs=None):
        """Adds the iterations of the step."""
        sizes = [np.size(value) for value in (logs or {}).values()]
        self.iteration += max(batch - self._last_batch, *sizes, 1)
        self._last_batch = batch


def next_multiple(iteration: int, every: int, last: int) -> int:
    """The first multiple of `every` after `iteration`, or `last` before it."""
    return min(iteration - iteration % every + every, last)
