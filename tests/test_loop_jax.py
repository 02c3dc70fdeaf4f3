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
from kresnet.benchmark.bench import tiny
from kresnet.benchmark.images import generated_images
from kresnet.benchmark.training_path import TrainingPath
from kresnet.spec import load_spec

spec = tiny(load_spec("digits"))
path = TrainingPath(spec, 0, *generated_images(spec), pathlib.Path())
steps = path.steps
batches = list(zip(*path.order.batches(0, 2)))

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: compiled.append(event)
)
counts = []
for indices, keys in batches:
    compiled.clear()
    steps.gradients(indices, keys)
    counts.append(sum("backend_compile" in event for event in compiled))

indices, keys = batches[0]
*values, _ = steps.values()
loss, _ = jax.jit(steps.loss)(
    *values, steps.images[indices], keys, steps.labels[indices]
)
before = path.model.get_weights()
losses, _ = steps.run(indices[None], keys[None])
steps.sync()
moved = [bool((a != b).any()) for a, b in zip(before, path.model.get_weights())]
print(json.dumps([counts, [float(loss), float(losses[0])], any(moved)]))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Compilations of two measurements, two losses, whether weights moved."""
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


def test_the_loss_of_an_update_is_the_pure_loss_in_float64(found):
    """In float32 it would be off by 1e-8."""
    pure, update = found[1]

    assert pure == pytest.approx(update, rel=1e-14)
    assert update != float(np.float32(update))


def test_after_sync_the_model_has_the_weights_of_the_update(found):
    assert found[2]
