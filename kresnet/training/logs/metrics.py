"""The rows of metrics.csv: training since the last row, and validation."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kresnet.callbacks import (
    IterationCallback,
    IterationSchedule,
    Throughput,
    next_multiple,
)
from kresnet.data import Images
from kresnet.trained import measures
from kresnet.training.logs.log import CsvLog

COLUMNS = (
    "iteration",
    "learning_rate",
    "training_loss",
    "training_error",
    "validation_loss",
    "validation_error",
)


class MetricsLog(IterationCallback):
    """Appends a row every `every` iterations and at the last one.

    Training loss and error are means over the augmented batches since the last
    row, in plain cross-entropy and percent. Validation is that of the
    inference model with its moving averages.

    Args:
        path: metrics.csv.
        every: Iterations between rows.
        last: The run's last iteration.
        schedule: Gives the learning rate.
        logits: From raw pixels, with the weights as they are when called.
        images: Validation images; none: the columns stay empty.
        throughput: Told what is not training.
        listeners: Called with each row but the first, a dict by column.
        check_lock: See `CsvLog`.

    Attributes:
        best: Iteration and validation error of the best row; `None` so far.
    """

    def __init__(
        self,
        path: Path,
        every: int,
        last: int,
        schedule: IterationSchedule,
        logits: Callable[[Images], np.ndarray],
        images: Images,
        throughput: Throughput,
        listeners: Sequence[Callable[[dict], None]],
        check_lock: Callable[[], None] = lambda: None,
    ):
        super().__init__()
        self.log = CsvLog(path, COLUMNS, check_lock)
        self.every = every
        self.last = last
        self.schedule = schedule
        self.logits = logits
        self.images = images
        self.throughput = throughput
        self.listeners = listeners
        self.best: dict[str, Any] | None = None
        self._losses = _Sum()
        self._errors = _Sum()

    def next_due(self, iteration):
        return next_multiple(iteration, self.every, self.last)

    def on_train_batch_end(self, batch, logs=None):
        before = self.iteration
        super().on_train_batch_end(batch, logs)
        self._losses.add(logs["loss"])
        self._errors.add(100.0 * (1.0 - np.asarray(logs["accuracy"], float)))
        if self.iteration >= self.next_due(before):
            with self.throughput.excluded():
                self._write_row()

    def write_first_row(self) -> dict:
        """Writes and returns the row of iteration 0, before any training.

        It is no candidate for the best: nothing of it is due to this run.
        """
        row = {
            "iteration": 0,
            "learning_rate": self.schedule.learning_rate(0),
            **dict.fromkeys(COLUMNS[2:]),
            **self._validation(),
        }
        self.log.append([row])
        return row

    def _write_row(self):
        row = {
            "iteration": self.iteration,
            "learning_rate": self.schedule.rate,
            "training_loss": self._losses.mean(),
            "training_error": self._errors.mean(),
            **self._validation(),
        }
        if len(self.images):
            self._remember_best(row)
        self._losses, self._errors = _Sum(), _Sum()
        self.log.append([row])
        for listener in self.listeners:
            listener(row)

    def _validation(self):
        if not len(self.images):
            return {"validation_loss": None, "validation_error": None}
        logits, labels = self.logits(self.images), self.images.labels
        return {
            "validation_loss": measures.cross_entropy(logits, labels),
            "validation_error": measures.error(logits, labels),
        }

    def _remember_best(self, row):
        error = row["validation_error"]
        if self.best is None or error < self.best["validation_error"]:
            self.best = {k: row[k] for k in ("iteration", "validation_error")}

    def get_state(self):
        return {
            "losses": self._losses.state,
            "errors": self._errors.state,
            "best": self.best,
            **self.log.get_state(),
        }

    def set_state(self, state):
        self._losses = _Sum(*state["losses"])
        self._errors = _Sum(*state["errors"])
        self.best = state["best"]
        self.log.set_state(state)


class _Sum:
    """A float64 sum that can be stored exactly."""

    def __init__(self, total=0.0, count=0):
        self.total = total
        self.count = count

    def add(self, values):
        # One by one: the sum must not depend on how long a chunk is.
        for value in np.atleast_1d(values).tolist():
            self.total += value
            self.count += 1

    def mean(self):
        return self.total / self.count

    @property
    def state(self):
        return [self.total, self.count]
