"""TensorBoard events, written with TensorBoard alone.

`tf.summary` would need TensorFlow, which a run on JAX does not import.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary


class Events:
    """Writes the rows of metrics.csv as scalars.

    Their folder is made when needed; that it cannot be written is said once,
    and training goes on. A run goes on from `iteration`: TensorBoard drops what
    an interrupted run wrote past it. For `check_lock` see `CsvLog`.
    """

    def __init__(
        self,
        folder: Path,
        iteration: int,
        notify: Callable,
        check_lock: Callable[[], None] = lambda: None,
    ):
        self.folder = folder
        self.notify = notify
        self.check_lock = check_lock
        self._file: BinaryIO | None = None
        self._failed = False
        self._first = iteration

    def __call__(self, row: dict) -> None:
        """Writes one row of metrics.csv."""
        if self._failed:
            return
        values = [
            Summary.Value(tag=name, simple_value=value)
            for name, value in row.items()
            if name != "iteration" and value is not None
        ]
        try:
            file = self._file or self._open()
            self._write(step=row["iteration"], summary=Summary(value=values))
            file.flush()  # else a record may be cut short and not said
        except OSError as error:
            self._failed = True
            self.notify(f"no TensorBoard events: {self.folder}: {error}")

    def close(self) -> None:
        """Closes the event file."""
        if self._file:
            # What failed to be written fails again: events stop nothing.
            with contextlib.suppress(OSError):
                self._file.close()

    def _write(self, **event):
        record = Event(wall_time=time.time(), **event)
        self._writer.write(record.SerializeToString())

    def _open(self) -> BinaryIO:
        # Not above: it takes 0.3 CPU-seconds, which the first iteration would
        # wait for.
        from tensorboard.summary.writer.record_writer import RecordWriter

        self.check_lock()
        self.folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{os.getpid()}"
        self._file = (self.folder / name).open("wb")
        self._writer = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        if self._first:
            start = SessionLog(status=SessionLog.START)
            self._write(step=self._first + 1, session_log=start)
        return self._file
