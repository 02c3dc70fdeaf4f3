"""How many iterations a chunk has, and what the loop does with them."""

import keras
import numpy as np
import pytest
from kresnet.callbacks import IterationCallback, IterationSchedule, WarmUp

from kresnet.data import Order
from kresnet.training.loop.loop import SECONDS, chunk_end, train_in_chunks

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


class Steps:
    """Notes the chunks that it is given; its losses count up from 0."""

    capacity = 50

    def __init__(self):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd")
        self.model = model
        self.chunks = []

    def run(self, indices, keys):
        self.chunks.append((indices, keys))
        done = int(self.model.optimizer.iterations)
        losses = np.arange(done, done + len(indices), dtype="float32")
        self.count = done + len(indices)
        return losses, 1 - losses / 100

    def sync(self):
        self.model.optimizer.iterations.assign(self.count)


def cut(order, first, last, *callbacks, pace=FAST):
    """The chunks, and the iteration after each."""
    steps = Steps()
    steps.model.optimizer.iterations.assign(first)
    train_in_chunks(steps, order, first, last, callbacks, lambda: pace)
    counts = [len(indices) for indices, _ in steps.chunks]
    return steps.chunks, (first + np.cumsum(counts)).tolist()


def test_a_chunk_ends_where_a_callback_is_due_and_at_the_end(order):
    _, ends = cut(order, 5, 60, Station(10, 25), Station(), Station(25, 30))

    assert ends == [10, 25, 30, 60]


def test_a_chunk_holds_no_more_than_the_capacity(order):
    _, ends = cut(order, 0, 120, Station())

    assert ends == [50, 100, 120]


@pytest.mark.parametrize("pace", [0.5, 2.0, 30.0, 31.9])
def test_a_chunk_lasts_no_longer_than_half_a_second_at_the_pace(order, pace):
    """But one iteration is the least."""
    found, ends = cut(order, 0, 40, Station(), pace=pace)

    counts = {len(indices) for indices, _ in found[:-1]}
    assert counts == {max(1, int(SECONDS * pace))}
    assert ends[-1] == 40
    assert SECONDS == 0.5


def test_the_pace_is_asked_before_every_chunk(order):
    paces, steps = iter([0.0, 8.0, 20.0, 0.0, 1e6]), Steps()

    train_in_chunks(steps, order, 0, 50, [Station()], lambda: next(paces))

    assert [len(each) for each, _ in steps.chunks] == [1, 4, 10, 1, 34]


def test_a_warm_up_whose_end_is_not_known_yet_goes_by_single_iterations():
    """And once it has ended, on to the first drop of the rate."""
    schedule = IterationSchedule(0.1, at=[20], warm_up=WarmUp(over=2))

    assert chunk_end(3, 30, [schedule], 50) == 4
    schedule.set_state({"errors": [], "warm_up_ended_at": 7})

    assert chunk_end(7, 30, [schedule], 50) == 20
    assert chunk_end(20, 30, [schedule], 50) == 30


def test_every_iteration_is_in_one_chunk_in_order(order):
    found, _ = cut(order, 7, 90, Station(8, 31), pace=40.0)
    assert len(found) > 4

    for got, want in zip(
        zip(*found, strict=True), order.batches(7, 83), strict=True
    ):
        np.testing.assert_array_equal(np.concatenate(got), want)


def test_callbacks_get_one_value_an_iteration_and_the_model_as_it_is(order):
    """Also one that knows nothing of iterations, as in `fit`."""
    seen = []

    class Plain(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            done = int(self.model.optimizer.iterations)
            losses = np.atleast_1d(logs["loss"]).tolist()
            seen.append((batch, done, losses, station.iteration))

    station = Station(1, 4)
    cut(order, 0, 6, station, Plain())

    assert seen == [
        (0, 1, [0.0], 1),
        (3, 4, [1.0, 2.0, 3.0], 4),
        (5, 6, [4.0, 5.0], 6),
    ]
