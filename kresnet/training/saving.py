"""When a checkpoint is saved: regularly, at the best, and on a signal."""

import math
from collections.abc import Callable

import keras
import numpy as np

from kresnet.callbacks import IterationCallback, Throughput, next_multiple
from kresnet.errors import StoppedError
from kresnet.training.logs.metrics import MetricsLog
from kresnet.training.team import Agreement


class NonFiniteWeightsError(RuntimeError):
    """An update overflowed, before any loss showed it."""


# The last two, the best, and one being written.
CHECKPOINTS = 4
# What stands before an array in its file: path, type, shape and place.
HEADER = 192
# The manifest, with what the callbacks must remember.
MANIFEST = 8_192


def checkpoint_bytes(model: keras.Model) -> int:
    """Bytes of one checkpoint; a little more than it will be."""
    variables = [*model.weights, *model.optimizer.variables]
    return MANIFEST + sum(
        HEADER + math.prod(each.shape) * np.dtype(each.dtype).itemsize
        for each in variables
    )


class Saver(IterationCallback):
    """Calls `save` when a checkpoint is due; comes last among the callbacks.

    One is every `every` iterations, at the last one, when validation was best
    so far, and after the step during which a signal came; then it raises
    `StoppedError`.
    """

    def __init__(
        self,
        save: Callable[[int, keras.Model], None],
        every: int,
        last: int,
        metrics: MetricsLog,
        throughput: Throughput,
        agreement: Agreement,
    ):
        super().__init__()
        self.save = save
        self.every = every
        self.last = last
        self.metrics = metrics
        self.throughput = throughput
        self.agreement = agreement

    def next_due(self, iteration):
        return next_multiple(iteration, self.every, self.last)

    def on_train_batch_end(self, batch, logs=None):
        before = self.iteration
        super().on_train_batch_end(batch, logs)
        best = (self.metrics.best or {}).get("iteration")
        due = self.iteration >= self.next_due(before)
        # Once: another thread may set it meanwhile.
        stop = self.agreement.signal
        if due or stop or best == self.iteration:
            with self.throughput.excluded():
                self.save(self.iteration, self.model)
        if stop:
            raise StoppedError(
                f"stopped by {stop.name} at iteration {self.iteration}, "
                "saved; the same command continues"
            )
