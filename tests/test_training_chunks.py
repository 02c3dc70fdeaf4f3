"""How many iterations a step of `fit` runs: never too many."""

import numpy as np
import pytest
from kresnet.callbacks import IterationCallback, IterationSchedule, WarmUp

from kresnet.data import Order
from kresnet.training.loop.loop import CAPACITY, SECONDS, chunks

FAST = 1e9  # iterations per second


@pytest.fixture
def order():
    """Of 100 images in batches of 8."""
    return Order(np.arange(100), 8, seed=3)


class Station(IterationCallback):
    def __init__(self, *due):
        super().__init__()
        self.due = due

    def next_due(self, iteration):
        return next((i for i in self.due if i > iteration), None)


def cut(order, first, last, *callbacks, pace=FAST, capacity=50):
    """The chunks, and the iteration after each."""
    found = list(
        chunks(
            order, first, last, callbacks, lambda: pace, capacity, slice(None)
        )
    )
    return found, (first + np.cumsum([n[0] for *_, n in found])).tolist()


def test_a_chunk_ends_where_a_callback_is_due_and_at_the_end(order):
    _, ends = cut(order, 5, 60, Station(10, 25), Station(), Station(25, 30))

    assert ends == [10, 25, 30, 60]


def test_a_chunk_holds_no_more_than_the_capacity(order):
    _, ends = cut(order, 0, 120)

    assert ends == [50, 100, 120]


@pytest.mark.parametrize("pace", [0.5, 2.0, 30.0, 31.9])
def test_a_chunk_lasts_no_longer_than_half_a_second_at_the_pace(order, pace):
    """But one iteration is the least."""
    found, ends = cut(order, 0, 40, pace=pace)

    counts = {int(n[0]) for *_, n in found[:-1]}
    assert counts == {max(1, int(SECONDS * pace))}
    assert ends[-1] == 40
    assert SECONDS == 0.5


def test_the_pace_is_asked_before_every_chunk(order):
    paces = iter([0.0, 8.0, 20.0, 0.0, 1e6])

    found = list(
        chunks(order, 0, 50, [], lambda: next(paces), CAPACITY, slice(None))
    )

    assert [int(n[0]) for *_, n in found] == [1, 4, 10, 1, 34]


def test_a_warm_up_whose_end_is_not_known_yet_goes_by_single_iterations(order):
    """And once it has ended, on to the first drop of the rate."""
    schedule = IterationSchedule(0.1, at=[20], warm_up=WarmUp(over=2))
    steps = chunks(order, 0, 30, [schedule], lambda: FAST, 50, slice(None))

    assert [int(next(steps)[2][0]) for _ in range(7)] == [1] * 7
    schedule.set_state({"errors": [], "warm_up_ended_at": 7})

    assert [int(n[0]) for *_, n in steps] == [13, 10]


def test_every_iteration_is_in_one_chunk_in_order(order):
    """Indices and keys are those of the order; the rest is padding."""
    found, _ = cut(order, 7, 90, Station(8, 31), pace=40.0)
    assert len(found) > 4

    indices, keys = order.batches(7, 83)

    for part, want in ((0, indices), (1, keys)):
        got = [chunk[part][:, : chunk[2][0]] for chunk in found]
        np.testing.assert_array_equal(np.concatenate(got, 1), want.T)
    for *arrays, count in found:
        assert (count == count[0]).all()
        for array in arrays:
            assert array.shape == (8, 50)
            assert not array[:, count[0] :].any()


def test_processes_share_every_batch_between_them(order):
    whole, _ = cut(order, 0, 20, Station(3))
    parts = [
        list(chunks(order, 0, 20, [Station(3)], lambda: FAST, 50, part))
        for part in (slice(0, 4), slice(4, 8))
    ]

    for chunk, *shares in zip(whole, *parts, strict=True):
        for array, *own in zip(chunk, *shares, strict=True):
            np.testing.assert_array_equal(np.concatenate(own), array)
