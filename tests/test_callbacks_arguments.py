"""Arguments of callbacks that make no sense are refused at once."""

import math

import keras
import numpy as np
import pytest
from kresnet.callbacks import (
    IterationSchedule,
    LayerResponses,
    Periodic,
    Throughput,
    WarmUp,
)

NO_NUMBERS = (math.nan, math.inf, -math.inf, True, "1", None, [1.0])
NO_COUNTS = (0, -5, 1.0, math.nan, True, "1", None)


def refused(name, make, **arguments):
    with pytest.raises(ValueError, match=rf"^`{name}.*must .* Received: "):
        make(**arguments)


def test_a_schedule_takes_finite_rates_and_divisors():
    for value in (*NO_NUMBERS, -0.1):
        refused("start", IterationSchedule, start=value)
    for value in (*NO_NUMBERS, -0.1, 0, 0.0):
        refused("divide_by", IterationSchedule, start=0.1, divide_by=value)
    refused("start", IterationSchedule, start=10**400)
    for value in (1e200, 1e-200, 10**200):
        refused(
            "divide_by", IterationSchedule, start=1, divide_by=value, at=[1, 2]
        )


def test_drops_are_increasing_iterations():
    for at in ([-5], [0], [5, 3], [5, 5], [5.0], [math.nan], [True], ["5"]):
        refused("at", IterationSchedule, start=0.1, at=at)
    for at in (5, None, "57", b"57", math.nan, np.array(5)):
        refused("at", IterationSchedule, start=0.1, at=at)


def test_drops_may_come_from_any_iterable():
    for at in ([3, 5], np.array([3, 5]), iter([3, 5]), range(3, 6, 2)):
        schedule = IterationSchedule(np.float32(1.0), np.int64(10), at)
        rates = [schedule.learning_rate(i) for i in (2, 3, 5)]
        np.testing.assert_allclose(rates, [1, 0.1, 0.01])


def test_numpy_s_numbers_have_python_s_range():
    at, last = np.arange(1, 22, dtype="int8"), 1e-21
    for ten in (np.int64(10), np.int8(10), np.uint8(10), np.float16(10)):
        schedule = IterationSchedule(np.uint8(1), ten, at)
        assert schedule.learning_rate(21) == pytest.approx(last, rel=1e-9)
    assert Periodic(np.int8(100), np.int16(30_000)).next_due(250) == 300
    warm_up = WarmUp(np.float32(0.5), np.int8(60), np.int8(2), np.int8(9))
    assert warm_up == WarmUp(0.5, 60, 2, 9)
    assert type(warm_up.over) is int
    IterationSchedule(1, warm_up=warm_up)


def test_a_warm_up_can_begin_and_end():
    for value in (*NO_NUMBERS, -0.1):
        refused("learning_rate", WarmUp, learning_rate=value)
    for value in (*NO_NUMBERS, 0, -1, 101):
        refused("until_training_error", WarmUp, until_training_error=value)
    for value in NO_COUNTS:
        refused("over", WarmUp, over=value)
    for value in (49, *NO_COUNTS[:-1]):  # of `over` 50 batches
        refused("limit", WarmUp, limit=value)
    for value in (0.01, {"learning_rate": 0.01}, WarmUp):
        refused("warm_up", IterationSchedule, start=0.1, warm_up=value)
    refused("on_event", IterationSchedule, start=0.1, on_event="print")


def test_periods_are_positive_integers():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, inputs)
    sound = {
        "model": model,
        "layers": {"one": inputs},
        "blocks": {},
        "images": np.zeros((3, 2)),
        "every": 1,
        "last": 10,
        "write": print,
    }
    for value in NO_COUNTS:
        refused("every", Periodic, every=value, last=10)
        refused("last", Periodic, every=1, last=value)
        refused("every", LayerResponses, **{**sound, "every": value})
        refused("last", LayerResponses, **{**sound, "last": value})
    for value in NO_COUNTS[1:]:
        refused("skip", Throughput, skip=value)
    refused("images", LayerResponses, **{**sound, "images": np.zeros((0, 2))})
    refused("layers", LayerResponses, **{**sound, "layers": {}})
    refused("write", LayerResponses, **{**sound, "write": "rows.csv"})
    refused("write_ratios", LayerResponses, **{**sound, "write_ratios": 3})
