"""The callbacks of a run, in the order in which they are called."""

import contextlib
from collections.abc import Callable

import keras
import numpy as np
from rich.console import Console

from kresnet.callbacks import NonFiniteLoss, Throughput
from kresnet.records.checkpoints import Checkpoints, Identity
from kresnet.records.folder import RunFolder
from kresnet.spec import Spec
from kresnet.training.assembly import make_schedule
from kresnet.training.final_test import Logits
from kresnet.training.logs.events import Events
from kresnet.training.logs.losses import LossLog
from kresnet.training.logs.metrics import MetricsLog
from kresnet.training.logs.progress import ProgressLine
from kresnet.training.measuring import Measurements
from kresnet.training.saving import Saver


class RunCallbacks:
    """Makes the callbacks, and hands out those that others ask.

    Args:
        folder: Where their files go.
        spec: What is run.
        logits: Of raw pixels, by the model as it is.
        held_out: Validation images, uint8, and their labels.
        measurements: Those that were asked for.
        checkpoints: Where checkpoints go.
        checkpoint_every: Iterations between them.
        identity: Kept in every one of them.
        console: For the progress.
        on_saved: Called with the iteration of each checkpoint written.

    Attributes:
        throughput: Iterations and seconds.
        losses: losses.csv.
        progress: What the console shows.
        schedule: Learning rate and warm-up.
        metrics: metrics.csv and the best validation error.
        saver: Checkpoints and signals.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        logits: Logits,
        held_out: tuple[np.ndarray, np.ndarray],
        measurements: Measurements,
        checkpoints: Checkpoints,
        checkpoint_every: int,
        identity: Identity,
        console: Console,
        on_saved: Callable[[int], None],
    ):
        training = spec.training
        self.measurements = measurements
        self.throughput = Throughput()
        self.losses = LossLog(folder.losses, folder.check_lock)
        self.schedule = make_schedule(training, checkpoints.notify)
        self.progress = ProgressLine(
            console,
            training.iterations,
            training.batch_size,
            self.schedule,
            self.throughput,
        )
        self.metrics = MetricsLog(
            folder.metrics,
            training.evaluate_every,
            training.iterations,
            self.schedule,
            self._shown_evaluating(logits),
            *held_out,
            self.throughput,
            folder.check_lock,
        )
        for each in measurements.callbacks:
            each.around = self._measuring
        self.saver = Saver(
            checkpoints,
            checkpoint_every,
            training.iterations,
            identity,
            self.metrics,
            self.throughput,
            {
                "schedule": self.schedule,
                "metrics": self.metrics,
                "losses": self.losses,
                **measurements.logs,
            },
            on_saved,
        )

    def _shown_evaluating(self, logits: Logits):
        def shown(images):
            with self.progress.doing("evaluating"):
                return logits(images)

        return shown

    @contextlib.contextmanager
    def _measuring(self):
        # It is no part of the speed of training.
        with self.throughput.excluded(), self.progress.doing("measuring"):
            yield

    def empty_tables(self) -> None:
        """Removes rows that a run left which had no checkpoint yet."""
        rows = self.measurements.logs.values()
        for each in (self.metrics, self.losses, *rows):
            each.log.cut(None)

    def in_order(self, events: Events) -> list[keras.callbacks.Callback]:
        """All of them, in the order in which they are called.

        Args:
            events: Told of every row of metrics.csv.
        """
        self.metrics.listeners = (self.progress, events)
        return [
            self.throughput,
            # Before those that end a run: its last losses are wanted.
            self.losses,
            self.progress,
            NonFiniteLoss(),
            self.schedule,
            self.metrics,
            *self.measurements.callbacks,
            self.saver,
        ]
