"""The loop over iterations: the same weights however it is run.

In float64 and at a low learning rate, so that rounding has no time to grow.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

PROGRAM = """
import sys
import kresnet
kind, out, every = sys.argv[1:]
if kind == "one program":  # what an accelerator runs
    from kresnet.training.loop.steps_jax import Steps
    Steps.one_program = True
if kind.endswith("whole batch"):  # what an accelerator runs
    from kresnet.training.loop.steps_tensorflow import Steps
    Steps.smallest_pass = 1000
again = "again" in kind
if kind.startswith("calls") and again:  # as beside a GPU that is not used
    import jax
    jax.default_backend = lambda: "gpu"
overrides = [
    "training.iterations=20",
    "training.learning_rate={start: 0.01, divide_by: 10, at: [10]}",
    f"training.evaluate_every={every}",
    "data.validation=0",
]
kresnet.train(
    "digits",
    out,
    overrides=overrides,
    rematerialize=again,
    deterministic=again,
)
"""
pytestmark = pytest.mark.slow

# Kind of loop, and iterations between evaluations, which end a chunk.
KINDS = [
    ("tensorflow", 1),
    ("tensorflow", 20),
    ("tensorflow, whole batch", 20),
    ("calls", 1),
    ("calls", 20),
    ("one program", 1),
    ("one program", 20),
    ("tensorflow, computing again", 20),
    ("calls, computing again", 20),
]


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
    (hidden / "tensorflow.py").write_text("raise ImportError('hidden')")
    found = {}
    for kind, every in KINDS:
        on_jax = not kind.startswith("tensorflow")
        backend = "jax" if on_jax else "tensorflow"
        (home / "keras.json").write_text(
            json.dumps({"floatx": "float64", "backend": backend})
        )
        out = home / f"{kind}-{every}"
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, kind, str(out), str(every)],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "KERAS_HOME": str(home),
                "KERAS_BACKEND": backend,
                "JAX_ENABLE_X64": "1",
                "JAX_LOG_COMPILES": "1",
                # Runs on JAX must do without TensorFlow.
                "PYTHONPATH": str(hidden) if on_jax else "",
            },
        )
        assert run.returncode == 0, run.stderr
        rows = (out / "metrics.csv").read_text().splitlines()[1:]
        assert len(rows) == 20 // every
        assert all(row.endswith(",,") for row in rows)  # no validation images
        # TensorBoard's events are written without TensorFlow too.
        assert recorded(out / "events") == [int(r.split(",")[0]) for r in rows]
        weights = out / "checkpoints" / "00000020" / "weights.safetensors"
        options = json.loads((out / "run.json").read_text())["options"]
        found[kind, every] = load_file(weights), run.stderr, options
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


TRACED = """
import sys
import kresnet
import tensorflow as tf
from kresnet.training.loop.steps_tensorflow import Steps

update = Steps.update
def traced(self, indices, keys):
    print(indices.shape[0], keys.shape[0], self.passes)
    return update(self, indices, keys)
Steps.update = traced
options = tf.config.optimizer
mine = {"remapping": False, "constant_folding": False}
options.set_experimental_options(mine)
kresnet.train("digits", sys.argv[1], devices=sys.argv[2], overrides=[
    "training.iterations=9",
    "training.learning_rate.at=[3]",
    "training.evaluate_every=4",
])
# The caller's graph optimiser is as it was, whatever the loop leaves out.
off = {name for name, on in options.get_experimental_options().items()
       if on is False and not name.startswith("disable")}
assert off == set(mine), off
"""


@pytest.mark.parametrize(
    ("devices", "batches"), [("cpu", ["128 128 2"]), ("cpu:2", ["64 64 1"] * 2)]
)
def test_tensorflow_traces_once_and_knows_the_size_of_a_batch(
    tmp_path, devices, batches
):
    """By the size the fused kernel of batch norm is chosen.

    Once per replica, whatever the lengths of the chunks and the rate.
    """
    run = subprocess.run(
        [sys.executable, "-c", TRACED, str(tmp_path / "run"), devices],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == batches


def test_what_jax_compiled_is_kept_for_the_next_run(tmp_path):
    pytest.importorskip("jax")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    program = "import kresnet; kresnet.train('digits', 'run', overrides=["
    program += "'training.iterations=2', 'training.learning_rate.at=[]'])"

    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=tmp_path,
        env=environment,
    )

    assert any((tmp_path / "cache" / "kresnet" / "jax").iterdir())
