"""Signs of life while training: one line, kept up to date or repeated."""

import collections
import contextlib
import time
from collections.abc import Callable, Iterator

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from kresnet.callbacks import IterationCallback, IterationSchedule, Throughput
from kresnet.training.logs.log import losses_and_errors

# Iterations whose mean loss and error are shown.
WINDOW = 50
# Steps over which speed and time left are measured: about 100 seconds.
STEPS = 200
# Where lines stay, the next one comes after so many seconds at the latest.
SHORTEST_SILENCE = 10
LONGEST_SILENCE = 600

Numbers = collections.deque[float]


class ProgressLine(IterationCallback):
    """Shows iteration of total, errors, rate, speed and the time left.

    On a terminal it is one line that changes, as long as the terminal is
    wide. Elsewhere (a file, a pipe, a notebook) lines stay, so there is one
    for each row of metrics.csv, and one where nothing was said for as long as
    the training has lasted (at least 10 seconds, at most 10 minutes).

    Speed is that of training alone, the time left that of everything; both
    are of this process, and neither is shown before it was measured. Between
    rows loss and training error are means over the last `WINDOW` iterations.

    As a listener to metrics.csv it is called with each row. `last` is the run's
    last iteration, `clock` gives seconds from any moment on.
    """

    def __init__(
        self,
        console: Console,
        last: int,
        batch_size: int,
        schedule: IterationSchedule,
        throughput: Throughput,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__()
        self.console = console
        self.last = last
        self.batch_size = batch_size
        self.schedule = schedule
        self.throughput = throughput
        self.clock = clock
        self._lines = [""]
        self._live = None
        if console.is_terminal and console.is_interactive:
            self._live = Live(
                get_renderable=self._as_wide_as_the_terminal,
                console=console,
                transient=True,
            )
        self._doing = ""
        self._loss: float | None = None
        self._training_error: float | None = None
        self._validation_error: float | None = None
        self._losses: Numbers = collections.deque(maxlen=WINDOW)
        self._errors: Numbers = collections.deque(maxlen=WINDOW)
        self._marks: collections.deque[tuple] = collections.deque(maxlen=STEPS)
        self._began = self._said = clock()

    def __enter__(self):
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error):
        if self._live:
            self._live.stop()

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Shows, on a terminal, what is done meanwhile: "evaluating"."""
        before = self._doing
        self._show(what)
        try:
            yield
        finally:
            self._show(before)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._marks.clear()
        self._show("compiling")
        self._say("compiling")

    def on_train_batch_begin(self, batch, logs=None):
        silent = self.clock() - self._said
        lasted = self._said - self._began
        if silent >= min(max(lasted, SHORTEST_SILENCE), LONGEST_SILENCE):
            self._say(self.line())

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if not self._marks:  # compiled
            self._began = self._said = self.clock()
        losses, errors = losses_and_errors(logs)
        self._losses.extend(losses)
        self._errors.extend(errors)
        self._loss = float(np.mean(self._losses))
        self._training_error = float(np.mean(self._errors))
        self._mark()
        self._show("")

    def __call__(self, row: dict) -> None:
        """Takes a row of metrics.csv, whose loss and errors are shown."""
        self._loss = row["training_loss"]
        self._training_error = row["training_error"]
        self._validation_error = row["validation_error"]
        self._mark()
        self._show("")
        self._say(self.line())

    def last_losses(self) -> list[float]:
        """The losses of the last iterations, oldest first."""
        return list(self._losses)

    def line(self, width: int | None = None) -> str:
        """What is known, in words.

        At most `width` characters are used: what is least important is left
        out, and the iteration never. `None` is for everything.
        """
        *lines, shortest = self._lines
        fitting = (x for x in lines if width is None or len(x) <= width)
        return next(fitting, shortest)

    def _as_wide_as_the_terminal(self):
        line = self.line(self.console.width)
        return Text(line, no_wrap=True, overflow="crop")

    def _show(self, doing):
        """Words what is known now; a thread of the terminal's shows it."""
        self._doing = doing
        training = _percent("training error", self._training_error)
        validation = _percent("validation error", self._validation_error)
        error = _percent("error", self._training_error)
        both = [error, _percent("validation", self._validation_error)]
        errors = ", ".join(filter(None, both))
        loss = "" if self._loss is None else f"loss {self._loss:.3f}"
        rate = self.schedule.rate
        rate = "" if rate is None else f"rate {rate:g}"
        speed, left = self._speed(), self._left()
        doing = doing or ("warm-up" if self.schedule.warming_up else "")
        total = f"{self.last:,}"
        place = f"{self.iteration:{len(total)},} of {total}"
        self._lines = [
            "  ".join(filter(None, (place, *parts)))
            for parts in (
                (training, validation, loss, rate, speed, left, doing),
                (training, validation, rate, speed, left, doing),
                (errors, rate, left, doing),
                (errors, left, doing),
                (error, left, doing),
                (left, doing),
                (doing,),
                (),
            )
        ]
        # Else its thread would, but not while native code holds it up.
        if self._doing and self._live and self._live.is_started:
            self._live.refresh()

    def _say(self, text):
        self._said = self.clock()
        if not self._live:
            self.console.print(
                text, markup=False, highlight=False, soft_wrap=True
            )

    def _mark(self):
        self._marks.append(
            (
                self.clock(),
                self.iteration,
                self.throughput.seconds,
                self.throughput.measured_iterations,
            )
        )

    def _since_first_mark(self):
        """Seconds and iterations: of everything, and of training alone."""
        if not self._marks:
            return 0, 0, 0, 0
        return np.subtract(self._marks[-1], self._marks[0])

    def _speed(self):
        *_, seconds, iterations = self._since_first_mark()
        speed = self.throughput.iterations_per_second
        speed = iterations / seconds if seconds > 0 else speed
        return f"{speed * self.batch_size:,.0f} images/s" if speed else ""

    def _left(self):
        """Time left, evaluations included."""
        seconds, iterations, *_ = self._since_first_mark()
        left = self.last - self.iteration
        if not iterations or left <= 0:
            return ""
        return f"{duration(left * seconds / iterations)} left"


def _percent(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.1f} %"


def duration(seconds: float) -> str:
    """Such as "90 s", "12 min", "3 h 12 min" or "5 days 7 h"."""
    if round(seconds) < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} days {hours % 24} h"
