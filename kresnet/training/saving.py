"""Saving during training: regularly, at the best, and on a signal."""

import math
from collections.abc import Callable

import keras
import numpy as np

from kresnet.callbacks import IterationCallback, Throughput, next_multiple
from kresnet.errors import StoppedError
from kresnet.records.checkpoints import Checkpoint, Checkpoints, Identity
from kresnet.trained.arrays import to_arrays
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
    """Writes checkpoints; comes last among the callbacks.

    One is written every `every` iterations, at the last one, when validation
    was best so far, and after the step during which a signal came; then it
    raises `StoppedError`.

    Args:
        checkpoints: Where to.
        every: Iterations between checkpoints.
        last: The run's last iteration.
        identity: Kept in every checkpoint.
        metrics: Knows the best iteration.
        throughput: Told what is not training.
        remembered: What has a state that is kept, by name.
        agreement: Knows a signal that came.
        on_saved: Called with the iteration of each checkpoint written.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        every: int,
        last: int,
        identity: Identity,
        metrics: MetricsLog,
        throughput: Throughput,
        remembered: dict[str, IterationCallback],
        agreement: Agreement,
        on_saved: Callable[[int], None],
    ):
        super().__init__()
        self.checkpoints = checkpoints
        self.every = every
        self.last = last
        self.identity = identity
        self.metrics = metrics
        self.throughput = throughput
        self.remembered = remembered
        self.on_saved = on_saved
        self.agreement = agreement

    def next_due(self, iteration):
        """The next regular checkpoint."""
        return next_multiple(iteration, self.every, self.last)

    def on_train_batch_end(self, batch, logs=None):
        """Saves when due, and stops when asked to."""
        before = self.iteration
        super().on_train_batch_end(batch, logs)
        best = (self.metrics.best or {}).get("iteration")
        due = self.iteration >= self.next_due(before)
        # Once: another thread may set it meanwhile.
        stop = self.agreement.signal
        if due or stop or best == self.iteration:
            with self.throughput.excluded():
                self._save(best)
        if stop:
            raise StoppedError(
                f"stopped by {stop.name} at iteration {self.iteration}, "
                "saved; the same command continues"
            )

    def _save(self, best: int | None):
        model = self.model
        weights = to_arrays(model.weights)
        for path, array in weights.items():
            if not np.isfinite(array).all():
                raise NonFiniteWeightsError(
                    f"{path} is not finite after iteration {self.iteration}"
                )
        checkpoint = Checkpoint(
            iteration=self.iteration,
            weights=weights,
            optimizer=to_arrays(model.optimizer.variables),
            state={
                name: callback.get_state()
                for name, callback in self.remembered.items()
            },
            identity=self.identity,
        )
        self.checkpoints.save(checkpoint, {best} if best else set())
        self.on_saved(self.iteration)
