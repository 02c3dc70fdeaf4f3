"""The callbacks in other Keras programs: nothing of kresnet but them."""

import contextlib

import keras
import numpy as np
import pytest
from kresnet.callbacks import (
    IterationSchedule,
    NonFiniteLoss,
    NonFiniteLossError,
    Periodic,
    Throughput,
    WarmUp,
    WarmUpError,
)


class Recorder(keras.callbacks.Callback):
    """The learning rate that each update used."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate.numpy()))


def classifier(steps_per_execution=1, learning_rate=0.1):
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")]
    )
    model.compile(
        keras.optimizers.SGD(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    return model


def fit(model, iterations, callbacks, epochs=1, labels=None):
    x = np.ones((4 * iterations, 2), "float32")
    y = np.zeros(4 * iterations, "int32") if labels is None else labels
    model.fit(
        x,
        y,
        batch_size=4,
        epochs=epochs,
        shuffle=False,
        callbacks=callbacks,
        verbose=0,
    )


def test_a_drop_at_3_leaves_the_first_three_updates_alone():
    recorder = Recorder()
    fit(classifier(), 6, [IterationSchedule(0.5, 10, [3, 5]), recorder])

    np.testing.assert_allclose(recorder.rates, [0.5] * 3 + [0.05] * 2 + [0.005])


def test_iterations_run_on_through_epochs():
    recorder = Recorder()
    fit(classifier(), 2, [IterationSchedule(0.5, 10, [3]), recorder], epochs=3)

    np.testing.assert_allclose(recorder.rates, [0.5] * 3 + [0.05] * 3)


def test_a_second_fit_goes_on_where_the_optimiser_is():
    model, recorder = classifier(), Recorder()
    fit(model, 2, [IterationSchedule(0.5, 10, [3]), recorder])
    fit(model, 3, [IterationSchedule(0.5, 10, [3]), recorder])

    np.testing.assert_allclose(recorder.rates, [0.5] * 3 + [0.05] * 2)


def test_steps_of_several_executions_are_counted():
    model, schedule = classifier(steps_per_execution=3), IterationSchedule(1.0)
    fit(model, 6, [schedule])

    assert schedule.iteration == 6


def test_drops_must_increase():
    with pytest.raises(ValueError, match=r"at=\[5, 3\]"):
        IterationSchedule(0.1, at=[5, 3])


def alternating_labels(wrong, right):
    """Batches of 4 that a net biased to class 0 gets all wrong or right."""
    return np.repeat([1] * wrong + [0] * right, 4).astype("int32")


def test_the_warm_up_ends_when_the_window_is_below_the_bound():
    """Over 4 batches, not over all since the epoch began.

    Five batches wrong, then right: 50 % first after the seventh.
    """
    events, recorder = [], Recorder()
    model = classifier(learning_rate=0.0)
    model.layers[0].bias.assign([1.0, -1.0])
    warm_up = WarmUp(1e-30, until_training_error=60.0, over=4)
    schedule = IterationSchedule(
        1e-20, at=[8], warm_up=warm_up, on_event=events.append
    )

    fit(model, 9, [schedule, recorder], labels=alternating_labels(5, 4))

    assert schedule.warm_up_ended_at == 7
    np.testing.assert_allclose(
        recorder.rates, [1e-30] * 7 + [1e-20, 1e-21], atol=0
    )
    assert events == [
        "warm-up ended at iteration 7: training error 50.0 % over 4 batches"
    ]


def test_a_warm_up_goes_on_from_its_saved_window():
    labels = alternating_labels(5, 4)
    warm_up = WarmUp(0.0, until_training_error=60.0, over=4)
    model = classifier(learning_rate=0.0)
    model.layers[0].bias.assign([1.0, -1.0])
    first = IterationSchedule(0.0, warm_up=warm_up)
    fit(model, 6, [first], labels=labels[:24])
    second = IterationSchedule(0.0, warm_up=warm_up)
    second.set_state(first.get_state())

    fit(model, 3, [second], labels=labels[24:])

    assert first.warming_up
    assert second.warm_up_ended_at == 7


def test_a_warm_up_that_never_ends_is_an_error():
    model = classifier(learning_rate=0.0)
    model.layers[0].bias.assign([1.0, -1.0])
    schedule = IterationSchedule(0.0, warm_up=WarmUp(0.0, over=2, limit=4))

    with pytest.raises(WarmUpError, match="after 4 iterations"):
        fit(model, 6, [schedule], labels=alternating_labels(6, 0))


def test_a_warm_up_of_a_number_of_iterations_asks_no_accuracy():
    recorder = Recorder()
    schedule = IterationSchedule(1e-20, warm_up=WarmUp(1e-30, iterations=3))

    fit(classifier(), 5, [schedule, recorder], labels=alternating_labels(5, 0))

    assert schedule.warm_up_ended_at == 3
    np.testing.assert_allclose(
        recorder.rates, [1e-30] * 3 + [1e-20] * 2, atol=0
    )
    with pytest.raises(ValueError, match="`limit` must be None"):
        WarmUp(limit=100, iterations=3)


def test_it_is_due_at_its_end_alone():
    warm_up = WarmUp(iterations=400)
    schedule = IterationSchedule(0.1, at=[1000], warm_up=warm_up)

    assert [schedule.next_due(i) for i in (0, 399)] == [400, 400]


def test_while_warming_up_every_iteration_is_due():
    schedule = IterationSchedule(0.1, at=[10, 20], warm_up=WarmUp())
    assert schedule.next_due(4) == 5
    schedule.set_state({"errors": [], "warm_up_ended_at": 4})
    assert [schedule.next_due(i) for i in (4, 9, 10, 20)] == [10, 10, 20, None]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_the_fit_at_once(value):
    x = np.ones((20, 2), "float32")
    x[8] = value

    with pytest.raises(NonFiniteLossError) as caught:
        classifier().fit(
            x,
            np.zeros(20, "int32"),
            batch_size=4,
            shuffle=False,
            callbacks=[NonFiniteLoss()],
            verbose=0,
        )

    assert caught.value.iteration == 3


def test_a_periodic_callback_acts_inside_what_was_put_around_it():
    events = []

    class Noting(Periodic):
        def act(self):
            events.append(self.iteration)

    @contextlib.contextmanager
    def around():
        events.append("before")
        yield
        events.append("after")

    callback = Noting(every=2, last=3)
    callback.around = around

    fit(classifier(), 3, [callback])

    assert events == [
        *("before", 0, "after"),
        *("before", 2, "after"),
        *("before", 3, "after"),
    ]


def test_what_is_excluded_is_not_measured(monkeypatch):
    """A clock by hand: an update takes 1, what is excluded 100."""
    clock = {"now": 0.0}
    monkeypatch.setattr(
        "kresnet.callbacks.throughput._clocks",
        lambda: (clock["now"], 2 * clock["now"]),
    )
    throughput = Throughput(skip=2)

    class Work(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            clock["now"] += 1

        def on_train_batch_end(self, batch, logs=None):
            with throughput.excluded():
                clock["now"] += 100

    fit(classifier(), 12, [throughput, Work()])

    assert throughput.measured_iterations == 10
    assert throughput.seconds == 10
    assert throughput.cpu_seconds == 20
    assert throughput.iterations_per_second == 1
    assert throughput.cpu_seconds_to_first_iteration == 2
