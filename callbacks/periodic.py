"""Doing something every so many iterations, and before the first."""

import contextlib

from kresnet.callbacks.arguments import check_integer
from kresnet.callbacks.iteration_callback import (
    IterationCallback,
    next_multiple,
)


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
        check_integer("every", every, 1)
        check_integer("last", last, 1)
        self.every = every
        self.last = last

    def act(self) -> None:
        """What a subclass does at `self.iteration`."""
        raise NotImplementedError

    def next_due(self, iteration):
        """The next iteration to act at."""
        return next_multiple(iteration, self.every, self.last)

    def on_first_batch_begin(self):
        """Acts on the initial weights."""
        if self.iteration == 0 and self.at_start:
            self._act_inside()

    def on_train_batch_end(self, batch, logs=None):
        """Acts when it is due."""
        before = self.iteration
        super().on_train_batch_end(batch, logs)
        if self.iteration >= self.next_due(before):
            self._act_inside()

    def _act_inside(self):
        with self.around():
            self.act()
