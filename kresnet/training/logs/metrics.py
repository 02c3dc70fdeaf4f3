"""The rows of metrics.csv: training since the last row, and validation."""

from collections.abc import Callable, Sequence
from typing import Any

from kresnet.callbacks import IterationSchedule, Periodic, Throughput
from kresnet.training.logs.log import CsvLog, losses_and_errors

COLUMNS = (
    "iteration",
    "learning_rate",
    "training_loss",
    "training_error",
    "validation_loss",
    "validation_error",
)


class MetricsLog(Periodic):
    """Appends a row every `every` iterations and at the last one.

    Training loss and error are means over the augmented batches since the last
    row, in plain cross-entropy and percent. Validation is that of the
    inference model with its moving averages.

    Args:
        validate: Measures the weights as they are; returns what belongs into
            the columns of validation, or nothing where no image is held out.
        listeners: Called with each row but the first, a dict by column.

    Attributes:
        best: Iteration and validation error of the best row; `None` so far.
    """

    at_start = False

    def __init__(
        self,
        log: CsvLog,
        every: int,
        last: int,
        schedule: IterationSchedule,
        validate: Callable[[], dict[str, float]],
        throughput: Throughput,
        listeners: Sequence[Callable[[dict], None]],
    ):
        super().__init__(every, last)
        self.around = throughput.excluded
        self.log = log
        self.schedule = schedule
        self.validate = validate
        self.listeners = listeners
        self.best: dict[str, Any] | None = None
        self._forget()

    def _forget(self):
        # Sums and counts, which a checkpoint keeps exactly.
        self._losses, self._errors = [0.0, 0], [0.0, 0]

    def on_train_batch_end(self, batch, logs=None):
        losses, errors = losses_and_errors(logs)
        # One by one: a sum must not depend on how long a chunk is.
        for mean, values in ((self._losses, losses), (self._errors, errors)):
            for value in values:
                mean[0] += value
                mean[1] += 1
        super().on_train_batch_end(batch, logs)

    def write_first_row(self) -> dict:
        """Writes and returns the row of iteration 0, before any training.

        It is no candidate for the best: nothing of it is due to this run.
        """
        rate = self.schedule.learning_rate(0)
        return self._append(0, rate, None, None)

    def act(self):
        loss, error = (x / n for x, n in (self._losses, self._errors))
        self._forget()
        row = self._append(self.iteration, self.schedule.rate, loss, error)
        error = row["validation_error"]
        if error is not None and (
            self.best is None or error < self.best["validation_error"]
        ):
            self.best = {k: row[k] for k in ("iteration", "validation_error")}
        for listener in self.listeners:
            listener(row)

    def _append(self, *values):
        row = dict.fromkeys(COLUMNS) | dict(zip(COLUMNS, values, strict=False))
        row |= self.validate()
        self.log.append([row])
        return row

    def get_state(self):
        return {
            "losses": self._losses,
            "errors": self._errors,
            "best": self.best,
            "file": self.log.get_state(),
        }

    def set_state(self, state):
        self._losses, self._errors = state["losses"], state["errors"]
        self.best = state["best"]
        self.log.set_state(state["file"])
