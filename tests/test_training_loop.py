"""The loop over iterations: the same weights however it is run.

In float64 and at a low learning rate, so that rounding has no time to grow.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

PROGRAM = """
import contextlib
import os
import sys
from unittest import mock
import keras
import kresnet

if keras.backend.backend() == "jax":
    import jax
    from kresnet.training.loop.steps_jax import Steps
else:
    import tensorflow as tf
    from kresnet.training.loop.steps_tensorflow import Steps
    update = Steps.update
    def traced(self, indices, keys):
        print("traced", indices.shape[0], keys.shape[0], self.passes,
              file=sys.stderr)
        return update(self, indices, keys)
    Steps.update = traced
    options = tf.config.optimizer
    mine = {"remapping": False, "constant_folding": False}
    options.set_experimental_options(mine)

def what_an_accelerator_runs(kind):
    if kind == "one program":
        return mock.patch.object(Steps, "one_program", True)
    if kind.endswith("whole batch"):
        return mock.patch.object(Steps, "smallest_pass", 1000)
    if kind == "calls, computing again":  # beside a GPU that is not used
        return mock.patch.object(jax, "default_backend", lambda: "gpu")
    return contextlib.nullcontext()

for out in sys.argv[1:]:
    kind, _, every = os.path.basename(out).partition("-")
    again = "again" in kind
    print("== run:", out, file=sys.stderr)
    with what_an_accelerator_runs(kind):
        kresnet.train(
            "digits",
            out,
            devices="cpu:2" if "two devices" in kind else "cpu",
            overrides=[
                "training.iterations=20",
                "training.learning_rate={start: 0.01, divide_by: 10, at: [10]}",
                f"training.evaluate_every={every}",
                "data.validation=0",
                "model.stages=[{block: basic, shortcut: A, blocks: 1,"
                " width: 8, stride: 1}, {block: basic, shortcut: A, blocks: 1,"
                " width: 16, stride: 2}]",
                "model.stem.width=8",
            ],
            rematerialize=again,
            deterministic=again,
        )
if keras.backend.backend() == "tensorflow":
    # The caller's graph optimiser is as it was, whatever the loop leaves out.
    off = {name for name, on in options.get_experimental_options().items()
           if on is False and not name.startswith("disable")}
    assert off == set(mine), off
"""
pytestmark = pytest.mark.slow

# Kind of loop, and iterations between evaluations, which end a chunk. The
# devices of a process are made for its first run, and what is deterministic
# stays so: it is the last.
KINDS = {
    "tensorflow": [
        ("tensorflow, two devices", 7),
        ("tensorflow", 1),
        ("tensorflow", 20),
        ("tensorflow, whole batch", 20),
        ("tensorflow, computing again", 20),
    ],
    "jax": [
        ("calls", 1),
        ("calls", 20),
        ("one program", 1),
        ("one program", 20),
        ("calls, computing again", 20),
    ],
}


def recorded(folder):
    """The iterations of the training errors in TensorBoard's events."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.step for event in events.Scalars("training_error")]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Of the same 20 iterations: weights, what was said, options; by kind."""
    pytest.importorskip("jax")
    home = tmp_path_factory.mktemp("float64")
    hidden = home / "hidden"
    hidden.mkdir()
    environment = dict(os.environ)
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    (hidden / "tensorflow.py").write_text("raise ImportError('hidden')")
    (home / "keras.json").write_text(json.dumps({"floatx": "float64"}))
    found = {}
    for backend, kinds in KINDS.items():
        outs = [str(home / f"{kind}-{every}") for kind, every in kinds]
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, *outs],
            capture_output=True,
            text=True,
            check=False,
            env={
                **environment,
                "KERAS_HOME": str(home),
                "KERAS_BACKEND": backend,
                "JAX_ENABLE_X64": "1",
                "JAX_LOG_COMPILES": "1",
                "XDG_CACHE_HOME": str(home / "cache"),
                # Runs on JAX must do without TensorFlow.
                "PYTHONPATH": str(hidden) if backend == "jax" else "",
            },
        )
        assert run.returncode == 0, run.stderr
        said = run.stderr.split("== run: ")[1:]
        for each, out, text in zip(kinds, map(Path, outs), said, strict=True):
            rows = (out / "metrics.csv").read_text().splitlines()[1:]
            assert len(rows) == math.ceil(20 / each[1])
            assert all(row.endswith(",,") for row in rows)  # not validated
            # TensorBoard's events are written without TensorFlow too.
            steps = [int(row.split(",")[0]) for row in rows]
            assert recorded(out / "events") == steps
            weights = out / "checkpoints" / "00000020" / "weights.safetensors"
            options = json.loads((out / "run.json").read_text())["options"]
            found[each] = load_file(weights), text, options
    # What JAX compiled is kept for the next run.
    assert any((home / "cache" / "kresnet" / "jax").iterdir())
    return found


def assert_close(got, want):
    assert got.keys() == want.keys()
    for path, array in want.items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(
            got[path], array, rtol=0, atol=1e-6 * scale, err_msg=path
        )


@pytest.mark.parametrize("kind", ["tensorflow", "calls", "one program"])
def test_weights_do_not_depend_on_where_chunks_end(runs, kind):
    single, chunked = runs[kind, 1][0], runs[kind, 20][0]

    for path, array in single.items():
        np.testing.assert_array_equal(array, chunked[path], err_msg=path)


def test_one_program_computes_what_single_calls_do(runs):
    assert_close(runs["one program", 20][0], runs["calls", 20][0])


def test_a_batch_in_passes_is_what_a_whole_batch_is(runs):
    assert_close(
        runs["tensorflow", 20][0], runs["tensorflow, whole batch", 20][0]
    )


def test_tensorflow_and_jax_train_to_the_same_weights(runs):
    assert_close(runs["calls", 20][0], runs["tensorflow", 20][0])


@pytest.mark.parametrize("kind", ["tensorflow", "calls"])
def test_activations_computed_again_change_nothing(runs, kind):
    assert_close(runs[f"{kind}, computing again", 20][0], runs[kind, 20][0])


@pytest.mark.parametrize("kind", ["tensorflow", "calls"])
def test_a_training_in_float64_says_so(runs, kind):
    assert "in float64, which is Keras' floatx" in runs[kind, 20][1]


@pytest.mark.parametrize("kind", ["tensorflow", "calls"])
def test_determinism_may_be_asked_for_and_is_written_down(runs, kind):
    assert runs[f"{kind}, computing again", 20][2]["deterministic"] is True
    assert runs[kind, 20][2]["deterministic"] is False


def test_the_loop_is_that_of_the_devices_in_use_not_of_the_machine_s_best(runs):
    said = runs["calls, computing again", 20][1]

    assert "compilation of jit(_iteration)" in said
    assert "compilation of jit(_chunk)" not in said


@pytest.mark.parametrize(
    ("kind", "function"), [("calls", "_iteration"), ("one program", "_chunk")]
)
def test_neither_a_chunk_s_length_nor_a_new_rate_compiles_anew(
    runs, kind, function
):
    said = runs[kind, 20][1]

    assert said.count(f"Finished XLA compilation of jit({function})") == 1


@pytest.mark.parametrize(
    ("kind", "every", "batches"),
    [
        ("tensorflow", 1, ["traced 128 128 2"]),
        ("tensorflow", 20, ["traced 128 128 2"]),
        ("tensorflow, two devices", 7, ["traced 64 64 1"] * 2),
    ],
)
def test_tensorflow_traces_once_and_knows_the_size_of_a_batch(
    runs, kind, every, batches
):
    """By the size the fused kernel of batch norm is chosen.

    Once per replica, whatever the lengths of the chunks and the rate.
    """
    said = runs[kind, every][1].splitlines()

    assert [line for line in said if line.startswith("traced")] == batches
