"""What the loop on JAX compiles, and what the benchmark runs of it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import json, pathlib
import jax, keras
jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
from kresnet.benchmark.parts_jax import computations
from kresnet.benchmark.training_path import tiny, tiny_data
from kresnet.benchmark.training_path import TrainingPath
from kresnet.spec import load_spec

spec = tiny(load_spec("digits"))
path = TrainingPath(spec, 0, *tiny_data(spec), pathlib.Path())
model = path.model
batches = list(zip(*path.order.batches(0, 2)))

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: compiled.append(event)
)
counts = []
for indices, keys in batches:
    compiled.clear()
    model.gradients(indices, keys)
    counts.append(sum("backend_compile" in event for event in compiled))

groups = (
    model.trainable_variables,
    model.non_trainable_variables,
    model.optimizer.variables,
)
state = [[v.value for v in group] for group in groups] + [[]]
batch = (model.images, model.labels, *batches[0])
parts = computations(path)
forward, _ = jax.jit(parts["forward"])(state, *batch)
(update, _), _ = jax.jit(parts["update"])(state, *batch)
print(json.dumps([counts, [float(forward), float(update)]]))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Compilations of two measurements, and the losses of two parts."""
    pytest.importorskip("jax")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path_factory.mktemp("path"),
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(run.stdout)


def test_gradients_are_compiled_at_the_first_measurement_only(found):
    first, second = found[0]

    assert first > 0
    assert second == 0


def test_the_benchmark_s_loss_is_the_loop_s_in_float64(found):
    """In float32 it would be off by 1e-8."""
    forward, update = found[1]

    assert forward == pytest.approx(update, rel=1e-14)
    assert update != float(np.float32(update))
