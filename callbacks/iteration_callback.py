"""Callbacks that know the iteration: the updates that the optimiser counts."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
from kresnet.callbacks.arguments import check_integer


@contextlib.contextmanager
def current_values(model: keras.Model) -> Iterator[None]:
    """Inside, the scalars of the optimiser and the metrics can be read.

    On JAX `fit` keeps the state to itself during an epoch, and the variables
    are empty. `Callback.model` would hand all of it back, which takes a deep
    network's callbacks milliseconds a step; here only scalars are lent.
    """
    pairs = []
    # Keras 3.15 has no public way to them.
    if not getattr(model, "_jax_state_synced", True):
        state = model._jax_state or {}
        kept = (
            (model.optimizer.variables, "optimizer_variables"),
            (model.metrics_variables, "metrics_variables"),
        )
        pairs = [
            (variable, value)
            for variables, name in kept
            for variable, value in zip(
                variables, state.get(name, ()), strict=False
            )
            if not variable.shape
        ]
    with keras.StatelessScope(pairs) if pairs else contextlib.nullcontext():
        yield


class IterationCallback(keras.callbacks.Callback):
    """A callback that knows the iteration: the number of updates done.

    The optimiser of `model.compile` counts it, whatever a batch was: with
    `gradient_accumulation_steps` several batches are one update, with
    `steps_per_execution` a step is several, and one that a
    `LossScaleOptimizer` skips is none. So it is right after a restart too,
    and for a second `fit`.

    A training loop whose `params` have `logs_are_per_iteration=True` gives
    logs of one array each, one value per iteration of the step; there the
    values are counted.

    Subclasses read `self.iteration` in `on_first_batch_begin` and
    `on_train_batch_begin` (iterations done before the step) and in
    `on_train_batch_end` (including it); they call `super()` first in every
    hook they override.
    """

    iteration = 0
    _began = False
    _outdated = True
    _watched = None

    def set_model(self, model):
        """Also keeps the model where looking at it costs nothing."""
        super().set_model(model)
        # `self.model` hands the whole state back to the layers on JAX.
        self._watched = model

    def next_due(self, iteration: int) -> int | None:
        """The first iteration after `iteration` at which a step must end.

        `None`: this callback does not care. A training loop that runs many
        iterations in one step asks this; `fit` does not.
        """
        return None

    def get_state(self) -> dict:
        """What a checkpoint must keep for an exact resume, as JSON values."""
        return {}

    def set_state(self, state: dict) -> None:
        """Takes back what `get_state` returned, before `fit`."""

    def on_train_begin(self, logs=None):
        self.iteration = updates_done(self._watched)
        self._began, self._outdated = False, True

    def on_first_batch_begin(self) -> None:
        """Called once in every `fit`, before its first step."""

    def on_epoch_begin(self, epoch, logs=None):
        self._outdated = True  # another callback may restore an optimiser here

    def on_train_batch_begin(self, batch, logs=None):
        if self._outdated:
            self.iteration = updates_done(self._watched)
            self._outdated = False
        if not self._began:
            self._began = True
            self.on_first_batch_begin()

    def on_train_batch_end(self, batch, logs=None):
        if self.logs_are_per_iteration:
            self.iteration += max(np.size(each) for each in logs.values())
        else:
            self.iteration = updates_done(self._watched)

    def on_epoch_end(self, epoch, logs=None):
        """Takes back an update that was counted without a batch."""
        # Replicas on TensorFlow learn that the data have ended while they run
        # an update; its count is the one part that needs no batch.
        model = self._watched
        strategy = getattr(model, "distribute_strategy", None)
        if strategy is None or strategy.num_replicas_in_sync == 1:
            return
        if model is not None and updates_done(model) >= self.iteration:
            model.optimizer.iterations.assign(self.iteration)

    @property
    def logs_are_per_iteration(self) -> bool:
        """Whether the logs hold one value per iteration."""
        return (self.params or {}).get("logs_are_per_iteration", False)


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
        # A tensor with gradient_accumulation_steps, else a variable.
        return int(to_number(model.optimizer.iterations))


def to_number(variable) -> float:
    """The value of a scalar variable or tensor, now."""
    # Not float() at once, which fails under a strategy.
    tensor = keras.ops.convert_to_tensor(variable)
    return float(keras.ops.convert_to_numpy(tensor))


def next_multiple(iteration: int, every: int, last: int) -> int:
    """The first multiple of `every` after `iteration`, or `last` before it."""
    multiple = iteration - iteration % every + every
    return min(multiple, last) if iteration < last else multiple


class Periodic(IterationCallback):
    """Calls `act` at iteration 0, every `every` iterations and at the last.

    Not again where a run goes on: it was done when the run got there. At
    iteration 0 only if `at_start`, which subclasses may set to `False`. Where
    training goes on past `last`, every `every` iterations.

    Args:
        every: Positive integer, iterations between calls.
        last: Positive integer, the last iteration of the training.

    Attributes:
        around: Makes a context manager to act in, such as one that shows what
            goes on. Defaults to one that does nothing.
    """

    at_start = True
    around = staticmethod(contextlib.nullcontext)

    def __init__(self, every: int, last: int):
        super().__init__()
        self.every = check_integer("every", every, 1)
        self.last = check_integer("last", last, 1)

    def act(self) -> None:
        """What a subclass does at `self.iteration`."""
        raise NotImplementedError

    def next_due(self, iteration):
        return next_multiple(iteration, self.every, self.last)

    def on_first_batch_begin(self):
        if self.iteration == 0 and self.at_start:
            self._act_inside()

    def on_train_batch_end(self, batch, logs=None):
        before = self.iteration
        super().on_train_batch_end(batch, logs)
        if self.iteration >= self.next_due(before):
            self._act_inside()

    def _act_inside(self):
        with self.around():
            self.act()
