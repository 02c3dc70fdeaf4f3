"""The paper's learning-rate schedule, by iterations, with its warm-up."""

import collections
import dataclasses
import math
from collections.abc import Iterable

import keras
import numpy as np
from kresnet.callbacks.arguments import (
    check_function,
    check_integer,
    check_number,
)
from kresnet.callbacks.iteration_callback import (
    IterationCallback,
    current_values,
    to_number,
)


class StepMean:
    """Takes a step's mean out of a metric's mean since the epoch began.

    It asks the metric itself, so batches may have any size and any weights.
    """

    def __init__(self):
        self._before = {}

    def latest(self, model: keras.Model, name: str, value: float) -> float:
        """The mean over the step that has just ended; asked after every step.

        It is `value`, which the logs say, where no metric of the model has
        that: `train_step` has then computed it of the batch.
        """
        mean = None
        with current_values(model):
            for metric in _metrics(model, name):
                total, count = map(to_number, (metric.total, metric.count))
                # It may have been reset since.
                before = self._before.get(id(metric), (0, 0))
                if count <= before[1]:
                    before = (0, 0)
                self._before[id(metric)] = total, count
                logged = count and np.isclose(total / count, value, rtol=1e-5)
                if logged and mean is None:
                    mean = (total - before[0]) / (count - before[1])
        return value if mean is None else mean


def _metrics(model, name):
    """The metrics of that name, all of which must be means."""
    flat = [
        each
        for metric in model.metrics
        # `compile` puts its own into another one.
        for each in getattr(metric, "metrics", [metric])
        if each.name == name
    ]
    for metric in flat:
        if not isinstance(metric, keras.metrics.Mean):
            raise ValueError(
                f"the metric `{name}` must be a `keras.metrics.Mean`. "
                f"Received: {metric}"
            )
    return flat


class WarmUpError(RuntimeError):
    """The training error did not fall below the bound in time."""


@dataclasses.dataclass(frozen=True)
class WarmUp:
    """A low learning rate until the training error has fallen.

    Args:
        learning_rate: Float, at least 0, the rate while warming up.
        until_training_error: Float, percent, above 0 and at most 100: the
            warm-up ends when the mean error of the last `over` batches is
            below it.
        over: Positive integer, number of batches.
        limit: Integer, at least `over`, or `None`: `WarmUpError` if the
            warm-up has not ended after this many iterations of it.
        iterations: Positive integer or `None`: the warm-up ends after this
            many iterations, whatever the error; `limit` must be `None` then.

    Reference:
        He et al. 2015, section 4.2, on the 110-layer network.
    """

    learning_rate: float = 0.01
    until_training_error: float = 80.0
    over: int = 50
    limit: int | None = None
    iterations: int | None = None

    def __post_init__(self):
        rate = check_number("learning_rate", self.learning_rate, least=0)
        error = check_number(
            "until_training_error", self.until_training_error, above=0, most=100
        )
        over, limit = check_integer("over", self.over, 1), self.limit
        if limit is not None:
            # Before that many batches it cannot end.
            limit = check_integer("limit", limit, over)
        iterations = self.iterations
        if iterations is not None:
            iterations = check_integer("iterations", iterations, 1)
            if limit is not None:
                raise ValueError(
                    "`limit` must be None where `iterations` is given. "
                    f"Received: limit={limit}, iterations={iterations}"
                )
        # Python's numbers take the place of NumPy's.
        vars(self).update(
            learning_rate=rate,
            until_training_error=error,
            over=over,
            limit=limit,
            iterations=iterations,
        )


class IterationSchedule(IterationCallback):
    """Divides the learning rate at given iterations.

    The rate that belongs to an iteration is set before it runs: with
    `at=[32_000]` the first 32,000 updates use `start`. For any Keras model;
    `steps_per_execution` at one where a change must be exact.

    Only a warm-up needs the training accuracy, as `accuracy` in the logs: a
    `keras.metrics.Mean` such as Keras' own accuracies, weighted or not, or
    what `train_step` itself computes of a batch.

    Every `fit` begins anew, with the warm-up, at the optimiser's iteration.
    To go on with a warm-up, or past it, `set_state` before `fit`; Keras'
    `BackupAndRestore` does not.

    Args:
        start: Float, at least 0, the first learning rate.
        divide_by: Positive float. Defaults to `10`.
        at: Increasing integers, at least 1: the iterations at which the rate
            is divided.
        warm_up: A `WarmUp` or `None`.
        on_event: Function that is told, in words, when the warm-up ends.
            Defaults to `None`.

    Attributes:
        rate: The learning rate of the last update.
        warm_up_ended_at: The iteration at which the warm-up ended, or `None`.

    Reference:
        He et al. 2015, section 4.2.
    """

    def __init__(self, start, divide_by=10, at=(), warm_up=None, on_event=None):
        super().__init__()
        at = _drops(at)
        # Python's numbers: powers of NumPy's integers overflow in silence.
        start = check_number("start", start, least=0)
        divide_by = check_number("divide_by", divide_by, above=0)
        _check_rate(start, divide_by, len(at))
        if warm_up is not None and not isinstance(warm_up, WarmUp):
            raise ValueError(
                "`warm_up` must be a WarmUp or None. "
                f"Received: warm_up={warm_up!r}"
            )
        check_function("on_event", on_event)
        self.start = start
        self.divide_by = divide_by
        self.at = at
        self.warm_up = warm_up
        self.on_event = on_event
        self.warm_up_ended_at = None
        self.rate = None
        self._errors: collections.deque[float] = collections.deque(
            maxlen=warm_up.over if warm_up else 0
        )
        self._has_state = False
        self._warm_up_began_at = 0
        self._begin_epoch()

    def _begin_epoch(self):
        self._rate_is_set = False  # another callback may have restored one
        self._mean = StepMean()  # Keras' running means begin anew

    @property
    def warming_up(self) -> bool:
        """Whether the warm-up is still going on."""
        return self._current_warm_up() is not None

    def _current_warm_up(self) -> WarmUp | None:
        return self.warm_up if self.warm_up_ended_at is None else None

    def learning_rate(self, iteration: int) -> float:
        """The rate of an iteration, counted from 0."""
        if warm_up := self._current_warm_up():
            return warm_up.learning_rate
        passed = sum(iteration >= boundary for boundary in self.at)
        return self.start / self.divide_by**passed

    def next_due(self, iteration):
        if warm_up := self._current_warm_up():
            if warm_up.iterations is None:
                return iteration + 1
            return max(
                iteration + 1, self._warm_up_began_at + warm_up.iterations
            )
        return next((i for i in self.at if i > iteration), None)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._begin_epoch()
        if not self._has_state:
            self._errors.clear()
            self.warm_up_ended_at = None

    def on_first_batch_begin(self):
        self._warm_up_began_at = 0 if self._has_state else self.iteration
        self._has_state = False

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._begin_epoch()

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(batch, logs)
        rate = self.learning_rate(self.iteration)
        if rate != self.rate or not self._rate_is_set:
            _set_rate(self.model.optimizer, rate)
            self.rate, self._rate_is_set = rate, True

    def on_train_batch_end(self, batch, logs=None):
        before = self.iteration
        super().on_train_batch_end(batch, logs)
        warm_up = self._current_warm_up()
        if warm_up is None:
            return
        iterations = self.iteration - self._warm_up_began_at
        if warm_up.iterations is not None:
            if iterations >= warm_up.iterations:
                self._end_warm_up()
            return
        # Not by `batch`: Keras counts on past the end of the data.
        batches = max(1, self.iteration - before)
        for accuracy in self._accuracies(batches, logs or {}):
            self._errors.append(100 * (1 - float(accuracy)))
        error = sum(self._errors) / len(self._errors)
        full = len(self._errors) == warm_up.over
        if full and error < warm_up.until_training_error:
            self._end_warm_up(
                f": training error {error:.1f} % over {warm_up.over} batches"
            )
        elif warm_up.limit and iterations >= warm_up.limit:
            raise WarmUpError(
                f"the warm-up has not ended after {iterations} "
                f"iterations: training error {error:.1f} % over "
                f"{len(self._errors)} batches, not below "
                f"{warm_up.until_training_error:g} %"
            )

    def _end_warm_up(self, why=""):
        self.warm_up_ended_at = self.iteration
        if self.on_event:
            self.on_event(f"warm-up ended at iteration {self.iteration}{why}")

    def _accuracies(self, batches, logs):
        """The accuracy of each batch of a step of so many."""
        value = logs.get("accuracy")
        if value is not None and self.logs_are_per_iteration:
            return np.atleast_1d(value)
        if value is None or np.ndim(value):
            raise ValueError(
                "`warm_up` needs the metric `accuracy`, one number. Received: "
                f"{logs}"
            )
        return [self._mean.latest(self._watched, "accuracy", value)] * batches

    def get_state(self):
        return {
            "errors": list(self._errors),
            "warm_up_ended_at": self.warm_up_ended_at,
        }

    def set_state(self, state):
        self._errors.clear()
        self._errors.extend(state["errors"])
        self.warm_up_ended_at = state["warm_up_ended_at"]
        self._has_state = True


def _drops(at) -> tuple[int, ...]:
    """The iterations of `at`, which must be positive and increase."""
    # An array without axes has `__iter__` too.
    if (
        isinstance(at, str | bytes)
        or not isinstance(at, Iterable)
        or not (getattr(at, "shape", True))
    ):
        raise ValueError(
            f"`at` must be a list of iterations. Received: at={at!r}"
        )
    at = tuple(
        check_integer(f"at[{i}]", iteration, 1)
        for i, iteration in enumerate(at)
    )
    if list(at) != sorted(set(at)):
        raise ValueError(f"`at` must increase. Received: at={list(at)}")
    return at


def _set_rate(optimizer, rate):
    try:
        optimizer.learning_rate = rate
    except (AttributeError, TypeError) as error:  # of a function, a schedule
        raise ValueError(
            "`learning_rate` of the model's optimizer must be a number: it "
            "follows an `IterationSchedule`. Received: "
            f"{getattr(optimizer, '_learning_rate', optimizer)}"
        ) from error


def _check_rate(start, divide_by, drops):
    """Refuses a divisor whose powers are beyond the range of floats."""
    try:
        last = start / divide_by**drops
    except (OverflowError, ZeroDivisionError):
        last = math.inf
    if not math.isfinite(last) or (start > 0 and last == 0):
        raise ValueError(
            "`divide_by` must leave a finite rate above 0 after "
            f"{drops} divisions. "
            f"Received: divide_by={divide_by}, start={start}"
        )
