"""What an iteration is in other people's programs: an optimiser's update.

Each model's loss is the sum of its outputs and its input is 1, so that every
update moves the first weight by its learning rate: the rates are seen there.
"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from kresnet.callbacks import (
    IterationSchedule,
    LayerResponses,
    NonFiniteLoss,
    NonFiniteLossError,
    Periodic,
    Throughput,
    WarmUp,
    WarmUpError,
)

ON_JAX = keras.backend.backend() == "jax"


def total(labels, outputs):
    return keras.ops.sum(outputs, axis=-1)


def model_of(optimizer=None, kind=keras.Model, **compiled):
    inputs = keras.Input((1,))
    outputs = keras.layers.Dense(3, use_bias=False, kernel_initializer="zeros")(
        inputs
    )
    model = kind(inputs, outputs)
    model.compile(
        optimizer or keras.optimizers.SGD(1.0),
        total,
        jit_compile=ON_JAX,
        **compiled,
    )
    return model


def first_weight(model):
    kernel = model.trainable_variables[0]
    return float(keras.ops.convert_to_numpy(kernel)[0, 0])


class Weight(keras.callbacks.Callback):
    """The first weight after every step; stands last."""

    def __init__(self, model):
        super().__init__()
        self.values = [first_weight(model)]

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(first_weight(self.model))

    @property
    def moves(self):
        return np.round(-np.diff(self.values), 5).tolist()


def fit(model, batches, *callbacks, labels=None, **options):
    """The learning rate that each step has used, on batches of four."""
    weight = Weight(model)
    if labels is None:
        labels = np.eye(3)[np.arange(4 * batches) % 2]
    model.fit(
        np.ones((len(labels), 1), "float32"),
        labels,
        batch_size=4,
        shuffle=False,
        callbacks=[*callbacks, weight],
        verbose=0,
        **options,
    )
    return weight.moves


class Diary(Periodic):
    def __init__(self, every, last):
        super().__init__(every, last)
        self.iterations = []

    def act(self):
        self.iterations.append(self.iteration)


def test_the_classes_of_a_metric_are_no_iterations():
    model = model_of(metrics=[keras.metrics.F1Score(average=None)])
    rows = []
    responses = LayerResponses(
        model,
        {"dense": model.layers[-1].output},
        {},
        np.ones((2, 1), "float32"),
        4,
        10,
        rows.extend,
    )

    rates = fit(model, 10, IterationSchedule(1, 2, [4, 8]), responses)

    assert rates == [1.0] * 4 + [0.5] * 4 + [0.25] * 2
    assert [row["iteration"] for row in rows] == [4, 8, 10]


def test_batches_whose_gradients_are_accumulated_are_one_update():
    optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=3)
    model, diary = model_of(optimizer), Diary(2, 4)
    schedule, throughput = IterationSchedule(1, 2, [1, 3]), Throughput(skip=1)

    rates = fit(model, 13, schedule, diary, throughput)

    assert [rate for rate in rates if rate] == [1.0, 0.5, 0.5, 0.25]
    assert schedule.iteration == 4
    assert diary.iterations == [0, 2, 4]
    assert throughput.measured_iterations == 3


def test_a_step_that_loss_scaling_skips_is_no_update():
    """The second and third batch of five overflow."""
    inner = keras.optimizers.SGD(1.0)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1.0)
    model, diary = model_of(optimizer), Diary(1, 3)
    weights = np.repeat([1, np.inf, np.inf, 1, 1], 4).astype("float32")

    rates = fit(
        model,
        5,
        IterationSchedule(1, 2, [1, 2]),
        diary,
        sample_weight=weights,
    )

    assert rates == [1.0, 0.0, 0.0, 0.5, 0.25]
    assert diary.iterations == [0, 1, 2, 3]


def test_the_last_step_of_several_executions_may_be_shorter():
    """Keras says that twelve batches have passed, of ten."""
    model, schedule = model_of(steps_per_execution=4), IterationSchedule(1)

    fit(model, 10, schedule)

    done = keras.ops.convert_to_numpy(model.optimizer.iterations.value)
    assert schedule.iteration == done == 10


def test_iterations_go_on_through_fits_that_continue():
    model = model_of()
    schedule = IterationSchedule(1, 2, [3])

    rates = fit(model, 2, schedule)
    rates += fit(model, 2, schedule, initial_epoch=1, epochs=2)

    assert rates == [1.0] * 3 + [0.5]


def test_one_schedule_begins_anew_with_another_model():
    """Its rate, and its warm-up."""
    warm_up = WarmUp(0.25, until_training_error=60, over=2)
    schedule = IterationSchedule(1, 2, [4], warm_up)

    first, second = (
        fit(model_of(metrics=["accuracy"]), 6, schedule) for _ in range(2)
    )

    assert first == second == [0.25] * 2 + [1.0] * 2 + [0.5] * 2


def test_a_state_that_was_set_holds_for_one_fit():
    warm_up = WarmUp(0.25, until_training_error=60, over=2)
    schedule = IterationSchedule(1, 2, [4], warm_up)
    schedule.set_state({"errors": [], "warm_up_ended_at": 0})

    resumed, anew = (
        fit(model_of(metrics=["accuracy"]), 3, schedule) for _ in range(2)
    )

    assert resumed == [1.0] * 3
    assert anew == [0.25] * 2 + [1.0]


class Crash(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("first", [0, 1])
def test_a_schedule_resumes_before_and_after_keras_own_backup(first, tmp_path):
    """After a crash at update 6: in either order the rate is that of 6."""

    def callbacks():
        pair = [
            IterationSchedule(1, 2, [4, 8]),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        ]
        return [pair[first], pair[1 - first], Diary(3, 9)]

    with pytest.raises(KeyboardInterrupt):
        fit(model_of(), 3, *callbacks(), Crash(), epochs=3)
    model, again = model_of(), callbacks()
    weight = Weight(model)

    fit(model, 3, *again, weight, epochs=3)

    # The first step holds the six updates that were restored.
    assert weight.moves == [4 * 1 + 2 * 0.5 + 0.5, 0.5, 0.25]
    assert again[-1].iterations == [9]


class Alternating(keras.Model):
    """Two updates of a batch, and logs of its own."""

    def train_step(self, *arguments):
        if ON_JAX:
            state, data = arguments
            _, state = super().train_step(state, data)
            _, state = super().train_step(state, data)
            return {"g_loss": state[0][0][0]}, state
        for _ in range(2):
            super().train_step(*arguments)
        return {"g_loss": self.trainable_variables[0][0]}


def test_a_train_step_may_update_twice_and_log_what_it_likes():
    schedule, diary = IterationSchedule(1, 2, [4]), Diary(4, 8)

    rates = fit(model_of(kind=Alternating), 4, schedule, diary)

    assert rates == [2.0] * 2 + [1.0] * 2
    assert diary.iterations == [0, 4, 8]


def test_what_a_callback_needs_of_the_logs_it_names():
    with pytest.raises(ValueError, match=r"`loss` in .* \['g_loss'\]"):
        fit(model_of(kind=Alternating), 1, NonFiniteLoss())
    with pytest.raises(ValueError, match=r"`accuracy`, one number.*'loss'"):
        fit(model_of(), 1, IterationSchedule(1, warm_up=WarmUp()))


class OwnLogs(keras.Model):
    """A loss for each of four examples, and the accuracy of the batch."""

    def train_step(self, *arguments):
        _, y = arguments[-1]
        logs = {"loss": y[:, 0], "accuracy": keras.ops.mean(y[:, 1])}
        if ON_JAX:
            return logs, super().train_step(*arguments)[1]
        super().train_step(*arguments)
        return logs


def test_losses_of_examples_are_of_one_update():
    labels = np.zeros((16, 3), "float32")
    labels[10] = np.nan

    with pytest.raises(NonFiniteLossError) as caught:
        fit(model_of(kind=OwnLogs), 4, NonFiniteLoss(), labels=labels)

    assert caught.value.iteration == 3


def warm_up_errors(model, batches, **options):
    """What the window of a warm-up holds, in percent."""
    warm_up = WarmUp(0.5, until_training_error=1e-9, over=8)
    schedule = IterationSchedule(0.5, warm_up=warm_up)
    fit(model, batches, schedule, **options)
    return np.round(schedule.get_state()["errors"], 3).tolist()


def test_the_accuracy_that_train_step_computes_is_the_batch_s():
    labels = np.repeat(np.eye(3)[[1, 0, 1]], 4, axis=0)

    errors = warm_up_errors(model_of(kind=OwnLogs), 3, labels=labels)

    assert errors == [0.0, 100.0, 0.0]


@pytest.mark.parametrize(
    ("metrics", "errors"),
    [
        ({"metrics": ["accuracy"]}, [50, 100, 0]),
        ({"weighted_metrics": ["accuracy"]}, [25, 100, 0]),
        (
            {"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]},
            [50, 100, 0],
        ),
        ({"metrics": ["accuracy"], "steps_per_execution": 2}, [75, 75, 0]),
    ],
)
def test_weights_and_smaller_batches_count_in_the_warm_up(metrics, errors):
    """Class 0 is right. Three batches: 2 wrong of 4; all; none of two."""
    labels = np.eye(3)[[0, 0, 1, 1, 1, 1, 1, 1, 0, 0]]
    weights = np.array([3, 3, 1, 1, 9, 9, 9, 9, 5, 5], "float32")

    found = warm_up_errors(
        model_of(**metrics),
        3,
        epochs=2,
        labels=labels,
        sample_weight=weights,
    )

    assert found == 2 * errors


@pytest.mark.parametrize(
    "rate", [lambda: 0.1, keras.optimizers.schedules.ExponentialDecay(1, 2, 3)]
)
def test_an_optimiser_with_a_schedule_of_its_own_is_refused(rate):
    with pytest.raises(ValueError, match="`learning_rate` of the model's opt"):
        fit(model_of(keras.optimizers.SGD(rate)), 1, IterationSchedule(1))


def test_a_warm_up_s_limit_counts_from_its_beginning():
    model = model_of(metrics=["accuracy"])
    fit(model, 5)
    warm_up = WarmUp(0.25, until_training_error=10, over=2, limit=3)

    with pytest.raises(WarmUpError, match="after 3 iterations"):
        fit(model, 4, IterationSchedule(1, warm_up=warm_up))


def test_past_the_last_iteration_only_multiples_are_due():
    diary = Diary(3, 4)

    fit(model_of(), 8, diary)

    assert diary.iterations == [0, 3, 4, 6]


def test_a_second_fit_is_measured_anew():
    model, throughput = model_of(), Throughput(skip=1)
    fit(model, 5, throughput)

    fit(model, 3, throughput)

    assert throughput.measured_iterations == 2


@pytest.mark.skipif(not ON_JAX, reason="TensorFlow's variables hold the state")
def test_counting_leaves_the_state_with_fit():
    """Handing it back takes milliseconds a step for a deep network."""
    synced = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            synced.append(self._model._jax_state_synced)

    warm_up = WarmUp(0.5, over=9)
    callbacks = [IterationSchedule(1, warm_up=warm_up), Diary(9, 9), Look()]
    model_of(metrics=["accuracy"]).fit(
        np.ones((12, 1), "float32"),
        np.eye(3)[[0] * 12],
        batch_size=4,
        callbacks=callbacks,
        verbose=0,
    )

    assert synced == [False] * 3


@pytest.mark.skipif(ON_JAX, reason="it is what this test starts")
def test_all_of_this_holds_on_jax():
    pytest.importorskip("jax")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", __file__],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        check=True,
    )
