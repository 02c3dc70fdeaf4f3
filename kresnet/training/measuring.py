"""What is measured during training when it is asked for."""

import contextlib
from collections.abc import Callable

from kresnet.callbacks import Periodic
from kresnet.instruments import Instrument, Subject
from kresnet.records.folder import RunFolder
from kresnet.training.logs.log import CsvLog, RowLog


class Measuring(Periodic):
    """Measures with an instrument, every so often, and writes its rows.

    Args:
        instrument: What measures.
        subject: What is measured.
        last: The run's last iteration.
        folder: Where the files go; `None` writes nothing.
        around: Makes a context manager to measure in.

    Attributes:
        logs: The files of the instrument's tables, by name.
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
            table.name: RowLog(
                CsvLog(
                    folder.path / f"{table.name}.csv",
                    ("iteration", *table.columns),
                    folder.check_lock,
                )
            )
            for table in instrument.tables
            if folder
        }

    def act(self):
        """Measures and writes."""
        self.subject.update(self.model, self.iteration)
        at = {"iteration": self.iteration}
        found = self.instrument.measure(self.subject, self.plan)
        for name, rows in found.items():
            if rows and self.logs:
                self.logs[name].write([at | row for row in rows])
