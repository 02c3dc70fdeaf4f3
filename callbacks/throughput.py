"""How fast training goes, without what is not training."""

import contextlib
import time
from collections.abc import Iterator

from kresnet.callbacks.arguments import check_integer
from kresnet.callbacks.iteration_callback import IterationCallback


class Throughput(IterationCallback):
    """Measures wall and CPU seconds per iteration in the steady state.

    Everything between the ends of two steps counts (data, transforms, metrics,
    callbacks) but what runs inside `excluded()`. Steps that begin within the
    first `skip` iterations of `fit`, where functions are compiled, do not. A
    step without an update belongs to the one that makes it. Every `fit` is
    measured anew.

    Args:
        skip: Integer, at least 0, iterations not measured. Defaults to `10`.

    Attributes:
        measured_iterations: Iterations that were measured.
        seconds: Wall seconds they took.
        cpu_seconds: CPU seconds of the whole process meanwhile.
        iterations_per_second: Speed of the last step, 0 before the second.
        cpu_seconds_to_first_iteration: CPU seconds from the start of the
            process to the end of the first step with an update.
    """

    def __init__(self, skip=10):
        super().__init__()
        self.skip = check_integer("skip", skip, 0)
        self._begin()

    def _begin(self):
        self.measured_iterations = 0
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.iterations_per_second = 0.0
        self.cpu_seconds_to_first_iteration = None
        self._excluded = [0.0, 0.0]

    @contextlib.contextmanager
    def excluded(self) -> Iterator[None]:
        """Keeps what runs inside (evaluation, saving) out of the figures."""
        start = _clocks()
        try:
            yield
        finally:
            for i, (now, then) in enumerate(zip(_clocks(), start, strict=True)):
                self._excluded[i] += now - then

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._begin()
        self._mark = _clocks()

    def on_first_batch_begin(self):
        self._first = self.iteration

    def on_train_batch_end(self, batch, logs=None):
        before = self.iteration
        super().on_train_batch_end(batch, logs)
        count = self.iteration - before
        if count < 1:
            return
        now = _clocks()
        if before == self._first:
            self.cpu_seconds_to_first_iteration = now[1]
        seconds, cpu_seconds = (
            n - m - e
            for n, m, e in zip(now, self._mark, self._excluded, strict=True)
        )
        self._mark, self._excluded = now, [0.0, 0.0]
        if before > self._first:  # the first step compiles
            self.iterations_per_second = count / max(seconds, 1e-9)
        if before - self._first >= self.skip:
            self.measured_iterations += count
            self.seconds += seconds
            self.cpu_seconds += cpu_seconds


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
