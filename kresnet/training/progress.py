"""What a terminal shows while training."""

import collections

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from kresnet.callbacks import IterationCallback, IterationSchedule, Throughput

WINDOW = 50


class ProgressBar(IterationCallback):
    """A bar with iteration, rate, loss, error, speed and the time left.

    Loss and error are means over the last `WINDOW` iterations. Quiet when the
    console is no terminal.

    Args:
        console: Where to.
        last: The run's last iteration.
        batch_size: Images per iteration.
        schedule: Gives the learning rate.
        throughput: Gives the speed.
    """

    def __init__(
        self,
        console: Console,
        last: int,
        batch_size: int,
        schedule: IterationSchedule,
        throughput: Throughput,
    ):
        super().__init__()
        self.batch_size = batch_size
        self.schedule = schedule
        self.throughput = throughput
        self._losses = collections.deque(maxlen=WINDOW)
        self._errors = collections.deque(maxlen=WINDOW)
        self._progress = Progress(
            TextColumn("iteration"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[text]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("", total=last, text="starting")

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *error):
        self._progress.stop()

    def on_train_begin(self, logs=None):
        """Shows where the run goes on."""
        super().on_train_begin(logs)
        self._progress.reset(self._task, completed=self.iteration)

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar."""
        super().on_train_batch_end(batch, logs)
        self._losses.extend(np.atleast_1d(logs["loss"]).tolist())
        errors = 100.0 * (1.0 - np.atleast_1d(logs["accuracy"]))
        self._errors.extend(errors.tolist())
        speed = self.throughput.iterations_per_second * self.batch_size
        self._progress.update(
            self._task,
            completed=self.iteration,
            text=f"rate {self.schedule.rate:g}  "
            f"loss {np.mean(self._losses):.3f}  "
            f"error {np.mean(self._errors):.1f} %  {speed:,.0f} images/s",
        )

    def last_losses(self) -> list[float]:
        """The losses of the last iterations, oldest first."""
        return list(self._losses)
