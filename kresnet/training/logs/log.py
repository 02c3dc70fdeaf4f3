"""CSV files that survive a crash, cut back to the last checkpoint."""

import contextlib
import csv
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from kresnet.callbacks import IterationCallback, Periodic
from kresnet.errors import BadDataError, write_error
from kresnet.files import open_at_once, open_plain_file
from kresnet.instruments import Instrument, Subject
from kresnet.records.folder import RunFolder

LOSSES = ("iteration", "loss", "error")
# Losses are written this many at a time; a checkpoint keeps the rest.
ROWS = 1_000


class CsvLog:
    """Appends rows; every append is on the disk when it returns.

    A checkpoint keeps the state; `set_state` takes back what an interrupted
    run wrote after it.

    Args:
        path: The file, made with its header by the first append.
        columns: Names of the columns.
        check_lock: Called before each write; raises an error where the folder
            is another run's by now.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str],
        check_lock: Callable[[], None] = lambda: None,
    ):
        self.path = path
        self.columns = columns
        self.check_lock = check_lock

    def append(self, rows: Iterable[dict]) -> None:
        """Writes rows, dicts by column; `None` is an empty cell.

        Raises:
            DiskFullError: They could not be written.
            CannotWriteError: The file is read-only, or its folder is gone.
        """
        self.check_lock()
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        try:
            if not self.path.exists() or not self.path.stat().st_size:
                writer.writeheader()
            writer.writerows(rows)
            # Opened like this a pipe is an error; else it would be waited for.
            with open(
                self.path, "a", encoding="utf-8", opener=open_at_once
            ) as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())  # a checkpoint will count on it
        except OSError as error:
            raise write_error(self.path, error) from error

    def get_state(self) -> dict:
        """Length of the file in bytes and the SHA-256 sum of its content."""
        content = self._content()
        return {"length": len(content), "sha256": _sum(content)}

    def set_state(self, state: dict | None) -> None:
        """Cuts the file back to an earlier state; `None` empties it.

        Raises:
            BadDataError: What was there is not there any more, or it is a pipe
                or a device.
            CannotWriteError: The file cannot be changed.
        """
        self.check_lock()
        length = state["length"] if state else 0
        try:
            content = self._content()
            if state and _sum(content[:length]) != state["sha256"]:
                raise BadDataError(
                    f"{self.path}: was changed since the checkpoint that the "
                    "run goes on from; put it back, or name another folder "
                    "with --out"
                )
            if len(content) > length:
                os.truncate(self.path, length)
        except OSError as error:
            raise write_error(self.path, error) from error

    def _content(self) -> bytes:
        try:
            with open_plain_file(self.path) as file:
                return file.read()
        except FileNotFoundError:
            return b""
        except ValueError as error:
            raise BadDataError(f"{self.path}: {error}") from error


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def losses_and_errors(logs: dict) -> tuple[list[float], list[float]]:
    """The loss and the error (%) of each iteration of a chunk."""
    losses, accuracies = (
        np.atleast_1d(logs[name]).tolist() for name in ("loss", "accuracy")
    )
    return losses, [100.0 * (1.0 - accuracy) for accuracy in accuracies]


class LossLog(IterationCallback):
    """Writes losses.csv: every update's loss and error (%) on its batch.

    Iterations are counted from 1: the row of an iteration is the loss that its
    update started from. For `check_lock` see `CsvLog`.
    """

    def __init__(
        self, path: Path, check_lock: Callable[[], None] = lambda: None
    ):
        super().__init__()
        self.log = CsvLog(path, LOSSES, check_lock)
        self._rows: list[list[float]] = []

    def on_train_batch_end(self, batch, logs=None):
        first = self.iteration + 1
        super().on_train_batch_end(batch, logs)
        pairs = zip(*losses_and_errors(logs), strict=True)
        for i, (loss, error) in enumerate(pairs, start=first):
            self._rows.append([i, loss, round(error, 6)])
        if len(self._rows) >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Writes the rows that are waiting."""
        self.log.append(
            dict(zip(LOSSES, row, strict=True)) for row in self._rows
        )
        self._rows = []

    def get_state(self):
        return {"rows": self._rows, "file": self.log.get_state()}

    def set_state(self, state):
        self._rows = state["rows"]
        self.log.set_state(state["file"])


class Measuring(Periodic):
    """Measures with an instrument, every so often, and writes its rows.

    Its tables are files of the folder, `logs` by name; without a folder none
    is written. `around` makes a context manager to measure in.
    """

    def __init__(
        self,
        instrument: Instrument,
        subject: Subject,
        last: int,
        folder: RunFolder | None,
        around: Callable[[], contextlib.AbstractContextManager],
    ):
        super().__init__(instrument.every, last)
        self.at_start = instrument.at_start
        self.instrument = instrument
        self.subject = subject
        self.around = around
        self.plan = instrument.plan(subject)
        self.logs = {
            table.name: CsvLog(
                folder.path / f"{table.name}.csv",
                ("iteration", *table.columns),
                folder.check_lock,
            )
            for table in instrument.tables
            if folder
        }

    def act(self):
        self.subject.update(self.model, self.iteration)
        at = {"iteration": self.iteration}
        tables = self.instrument.measure(self.subject, self.plan)
        for name, rows in tables.items():
            if rows and self.logs:
                self.logs[name].append([at | row for row in rows])
