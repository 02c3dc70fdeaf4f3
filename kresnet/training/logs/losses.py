"""The loss and error of every iteration."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kresnet.callbacks import IterationCallback
from kresnet.training.logs.log import CsvLog

COLUMNS = ("iteration", "loss", "error")
# Rows are written this many at a time; a checkpoint keeps the rest.
ROWS = 1_000


class LossLog(IterationCallback):
    """Writes losses.csv: every update's loss and error (%) on its batch.

    Iterations are counted from 1: the row of an iteration is the loss that its
    update started from.

    Args:
        path: losses.csv.
        check_lock: See `CsvLog`.
    """

    def __init__(
        self, path: Path, check_lock: Callable[[], None] = lambda: None
    ):
        super().__init__()
        self.log = CsvLog(path, COLUMNS, check_lock)
        self._rows: list[list[float]] = []

    def on_train_batch_end(self, batch, logs=None):
        """Keeps the values of the step."""
        first = self.iteration + 1
        super().on_train_batch_end(batch, logs)
        losses = np.atleast_1d(logs["loss"]).tolist()
        accuracies = np.atleast_1d(logs["accuracy"]).tolist()
        for i, (loss, accuracy) in enumerate(
            zip(losses, accuracies, strict=True), start=first
        ):
            error = round(100.0 * (1.0 - accuracy), 6)
            self._rows.append([i, loss, error])
        if len(self._rows) >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Writes the rows that are waiting."""
        self.log.append(
            dict(zip(COLUMNS, row, strict=True)) for row in self._rows
        )
        self._rows = []

    def get_state(self):
        """Rows that wait, and what the file holds."""
        return {"rows": self._rows, "file": self.log.mark()}

    def set_state(self, state):
        """Takes the state back and cuts losses.csv back to what it was."""
        self._rows = state["rows"]
        self.log.cut(state["file"])
