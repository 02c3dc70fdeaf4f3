"""Counting iterations, whatever a step of `fit` holds."""

import keras
import numpy as np
from kresnet.callbacks.current_values import current_values


class IterationCallback(keras.callbacks.Callback):
    """A callback that knows the iteration: the number of updates done.

    It is what the optimiser of `model.compile` has counted, whatever a batch
    was: with `gradient_accumulation_steps` several batches are one update,
    with `steps_per_execution` a step is several, and one that a
    `LossScaleOptimizer` skips is none. So it is right after a restart too,
    and for a second `fit`.

    A model that declares `logs_are_per_iteration = True` returns logs of one
    array each, one value per iteration of the step; there the values are
    counted.

    Subclasses read `self.iteration` in `on_first_batch_begin` and
    `on_train_batch_begin` (iterations done before the step) and in
    `on_train_batch_end` (including it); they call `super()` first in every
    hook they override.
    """

    iteration = 0
    _began = False
    _outdated = True

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
        self.iteration = updates_done(self._model)
        self._began, self._outdated = False, True

    def on_first_batch_begin(self) -> None:
        """Called once in every `fit`, before its first step."""

    def on_epoch_begin(self, epoch, logs=None):
        """Another callback may restore an optimiser here."""
        self._outdated = True

    def on_train_batch_begin(self, batch, logs=None):
        """Counts again where another callback may have restored a state."""
        if self._outdated:
            self.iteration = updates_done(self._model)
            self._outdated = False
        if not self._began:
            self._began = True
            self.on_first_batch_begin()

    def on_train_batch_end(self, batch, logs=None):
        """Adds the iterations of the step."""
        if self.logs_are_per_iteration:
            self.iteration += max(np.size(each) for each in logs.values())
        else:
            self.iteration = updates_done(self._model)

    def on_epoch_end(self, epoch, logs=None):
        """Takes back an update that was counted without a batch.

        Several replicas on TensorFlow learn that the data has ended while
        they run an update, of which counting alone needs no batch.
        """
        strategy = getattr(self._model, "distribute_strategy", None)
        if strategy is None or strategy.num_replicas_in_sync == 1:
            return
        if updates_done(self._model) >= self.iteration:
            self._model.optimizer.iterations.assign(self.iteration)

    @property
    def logs_are_per_iteration(self) -> bool:
        """Whether the model's logs hold one value per iteration."""
        # Not self.model: on JAX that copies the state back to the layers.
        return getattr(self._model, "logs_are_per_iteration", False)


def updates_done(model: keras.Model) -> int:
    """The number of updates that a model's optimiser has done.

    Raises:
        ValueError: The model has no optimiser.
    """
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            "`model` must be compiled with an optimizer, whose updates are "
            f"counted. Received: model={model}"
        )
    with current_values(model):
        # A variable, or with gradient_accumulation_steps a tensor. Not int(),
        # which fails under a strategy.
        iterations = keras.ops.convert_to_tensor(model.optimizer.iterations)
        return int(keras.ops.convert_to_numpy(iterations))


def next_multiple(iteration: int, every: int, last: int) -> int:
    """The first multiple of `every` after `iteration`, or `last` before it."""
    multiple = iteration - iteration % every + every
    return min(multiple, last) if iteration < last else multiple
