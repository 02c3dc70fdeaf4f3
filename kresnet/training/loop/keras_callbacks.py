"""Keras callbacks of a user's, which know batches and epochs."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kresnet.callbacks import IterationCallback, Throughput
from kresnet.training.loop.loop import next_due


class KerasCallbacks(IterationCallback):
    """Calls Keras callbacks as `Options.callbacks` says.

    What they do is no part of the speed of training. An epoch is `every`
    iterations, and `last` is the run's last one.
    """

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        every: int,
        last: int,
        throughput: Throughput,
    ):
        super().__init__()
        self.callbacks = callbacks
        self.every = every
        self.last = last
        self.throughput = throughput
        self._row: dict[str, Any] = {}

    def __call__(self, row: dict[str, Any]) -> None:
        """Takes a row of metrics.csv; the epoch ends after its batch."""
        self._row = {k: v for k, v in row.items() if v is not None}

    def next_due(self, iteration):
        return next_due(self.callbacks, iteration)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._list = keras.callbacks.CallbackList(
            self.callbacks,
            model=self.model,
            epochs=-(-self.last // self.every),
            steps=self.every,
            verbose=0,
        )
        self._list.on_train_begin()
        self._list.on_epoch_begin(self.iteration // self.every)

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(batch, logs)
        with self.throughput.excluded():
            self._list.on_train_batch_begin(batch)

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        with self.throughput.excluded():
            means = {name: float(np.mean(each)) for name, each in logs.items()}
            self._list.on_train_batch_end(batch, means)
            if self._row.get("iteration") != self.iteration:
                return
            epoch = (self.iteration - 1) // self.every
            self._list.on_epoch_end(epoch, self._row)
            if self.iteration < self.last:
                self._list.on_epoch_begin(epoch + 1)

    def on_train_end(self, logs=None):
        self._list.on_train_end(self._row)
