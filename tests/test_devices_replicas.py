"""What a strategy's replicas hold, and where a trained model is used."""

import os
import subprocess
import sys

import numpy as np
import pytest
import small_network
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow

REPLICAS = """
import sys
import numpy as np
from kresnet.callbacks import IterationSchedule
from kresnet.data import Order, load_dataset
from kresnet.machine.place import place
from kresnet.network import adapt_transforms
from kresnet.spec import load_spec
from kresnet.training.models import make_models, make_steps
from kresnet.training.loop.loop import train_in_chunks

spec = load_spec("digits", sys.argv[1:])
placement = place("cpu:2", spec)
data = load_dataset("digits")
models = make_models(spec, 0, "float32", scope=placement.scope)
adapt_transforms(models.transforms, data.train_images)
model = models.model
steps = make_steps(model, spec, data)
order = Order(np.arange(len(data.train_images)), 128, 0)
counted = model.optimizer.iterations.value._values
for first, last in [(0, 3), (3, 4), (4, 5)]:
    train_in_chunks(
        steps, order, first, last, [IterationSchedule(0.1)], lambda: 4.0
    )
    assert [int(value.numpy()) for value in counted] == [last, last]

moved = 0
for variable in [*model.variables, *model.optimizer.variables]:
    first, second = (
        part.numpy() for part in variable.value._values
    )
    np.testing.assert_array_equal(first, second, err_msg=variable.path)
    moved += "moving_mean" in variable.path and bool(first.any())
print(moved)
"""

COUNTED = """
import warnings
import keras
import numpy as np
import tensorflow as tf
from kresnet.callbacks import IterationSchedule

cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
rates = []


class Rates(keras.callbacks.Callback):
    last = 0.0

    def on_train_batch_end(self, batch, logs=None):
        weight = float(np.squeeze(self.model.trainable_variables[0].numpy()))
        rates.append(self.last - weight)
        self.last = weight


with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), dense])
    model.compile(
        keras.optimizers.SGD(1.0),
        lambda y, prediction: prediction[:, 0],
        jit_compile=False,
    )
ones = tf.TensorSpec((None, 1))
data = tf.data.Dataset.from_generator(
    lambda: [(np.ones((4, 1)),) * 2] * 3, output_signature=(ones, ones)
)
schedule = IterationSchedule(1, 2, [4, 7])
warnings.simplefilter("ignore")  # that the data ended
callbacks = [schedule, Rates()]
for _ in range(2):
    model.fit(data, epochs=2, verbose=0, callbacks=callbacks)
print(*rates)
"""

USED = """
import sys
from kresnet.cli import app, run

folder, out = sys.argv[1:]
assert run(app, ["evaluate", folder, "--split=validation"]) == 0
assert run(app, ["export", folder, f"--out={out}"]) == 0
"""


def python(program, *arguments, **environment):
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_all_replicas_hold_the_same_weights_and_moving_averages():
    """Bit for bit; each replica has seen other images."""
    said = python(REPLICAS, *small_network.OVERRIDES)

    assert int(said) == 3  # batch norms of the small net


def test_no_update_is_counted_where_the_data_ends_on_two_replicas():
    """Of data whose length Keras does not know; in two `fit`s."""
    rates = [float(rate) for rate in python(COUNTED).split()]

    assert rates == [1.0] * 4 + [0.5] * 3 + [0.25] * 5


def test_a_run_on_two_devices_of_jax_is_used_on_tensorflow(tmp_path):
    """Its validation error in metrics.csv is that of `evaluate`."""
    pytest.importorskip("jax")
    run = tmp_path / "run"
    settings = [
        "training.iterations=40",
        "training.learning_rate.at=[20]",
        "training.evaluate_every=40",
        *small_network.OVERRIDES,
    ]
    python(
        "from kresnet.cli import main; main()",
        *("train", "digits", f"--out={run}", "--devices=cpu:2"),
        *(f"--set={setting}" for setting in settings),
        KERAS_BACKEND="jax",
    )

    said = python(USED, run, tmp_path / "export")

    last = (run / "metrics.csv").read_text().splitlines()[-1]
    assert f"{float(last.split(',')[-1]):.2f}" in said
    weights = load_file(
        run / "checkpoints" / "00000040" / "weights.safetensors"
    )
    assert all(np.isfinite(array).all() for array in weights.values())
