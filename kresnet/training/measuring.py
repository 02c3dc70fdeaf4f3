"""What is measured during training when it is asked for."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from kresnet.callbacks import Periodic
from kresnet.data import Order
from kresnet.instruments import Instrument, Subject
from kresnet.network import build_model
from kresnet.records.folder import RunFolder
from kresnet.spec import Spec
from kresnet.training.logs.log import CsvLog, RowLog
from kresnet.training.options import Options


class Measuring(Periodic):
    """Measures with an instrument, every so often, and writes its rows.

    Args:
        instrument: What measures.
        subject: What is measured.
        last: The run's last iteration.
        logs: The files of the instrument's tables, by name.
    """

    def __init__(
        self,
        instrument: Instrument,
        subject: Subject,
        last: int,
        logs: dict[str, RowLog],
    ):
        super().__init__(instrument.every, last)
        self.at_start = instrument.at_start
        self.instrument = instrument
        self.subject = subject
        self.plan = instrument.plan(subject)
        self.logs = logs

    def act(self):
        """Measures and writes."""
        self.subject.update(self.model, self.iteration)
        at = {"iteration": self.iteration}
        found = self.instrument.measure(self.subject, self.plan)
        for name, rows in found.items():
            if rows:
                self.logs[name].write([at | row for row in rows])


class Measurements:
    """The callbacks of the measurements that `options` asks for.

    Args:
        folder: Where the files go.
        spec: What is run.
        options: What to measure, and how often.
        transforms: Layers of the run, in its order.
        images: Makes the training split, uint8.
        order: Gives the batches.
        gradients: See `Subject`.

    Attributes:
        callbacks: They come after those that train and before the one that
            saves.
        logs: Their files, by name, for a checkpoint to remember.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        options: Options,
        transforms: list[keras.layers.Layer],
        images: Callable[[], np.ndarray],
        order: Order,
        gradients: Callable[[np.ndarray, np.ndarray], Sequence],
    ):
        subject = Subject(
            spec,
            transforms,
            # A copy: undistributed, in float32, with every layer in sight.
            lambda: build_model(spec.model, 0),
            lambda: images()[: options.response_images or None],
            order,
            gradients,
        )
        self.callbacks: list[Measuring] = []
        self.logs: dict[str, RowLog] = {}
        for instrument in options.measured:
            logs = {
                table.name: RowLog(
                    CsvLog(
                        folder.path / f"{table.name}.csv",
                        ("iteration", *table.columns),
                        folder.check_lock,
                    )
                )
                for table in instrument.tables
            }
            self.logs |= logs
            self.callbacks.append(
                Measuring(instrument, subject, spec.training.iterations, logs)
            )
