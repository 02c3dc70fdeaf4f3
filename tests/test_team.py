"""Several processes that train one network together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from kresnet.devices import Membership
from kresnet.errors import SpecError

SETTINGS = [
    "--set=training.iterations=60",
    "--set=training.learning_rate={start: 0.01, divide_by: 10, at: [30]}",
    "--set=training.evaluate_every=20",
    "--checkpoint-every=10",
]
SECONDS = 300  # that a process may take, far more than it needs


@pytest.fixture
def train(tmp_path):
    """Starts `kresnet train digits` in float64 on JAX, TensorFlow hidden."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "tensorflow.py").write_text("raise ImportError('hidden')")
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": "float64"}))
    started = []

    def start(*options, settings=SETTINGS, **environment):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "kresnet", "train", "digits"),
                *settings,
                f"--out={tmp_path / 'run'}",
                *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "KERAS_BACKEND": "jax",
                "JAX_ENABLE_X64": "1",
                "KERAS_HOME": str(tmp_path),
                "PYTHONPATH": str(hidden),
                **environment,
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def pair(train):
    """Starts processes 0 and 1."""

    def start(**environment):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = f"--coordinator=127.0.0.1:{port}", "--processes=2"
        return [
            train(*common, f"--process={i}", "--devices=cpu", **environment)
            for i in range(2)
        ]

    return start


def ended(process):
    """Exit code and what was said."""
    _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said


def wait_for_checkpoint(folder, iteration):
    path = folder / "checkpoints" / f"{iteration:08d}"
    give_up = time.monotonic() + SECONDS
    while not path.is_dir():
        assert time.monotonic() < give_up, f"no {path}"
        time.sleep(0.05)


def last_weights(folder):
    return load_file(
        folder / "checkpoints" / "00000060" / "weights.safetensors"
    )


@pytest.mark.slow
def test_two_processes_do_what_one_with_two_devices_does(pair, train, tmp_path):
    pytest.importorskip("jax")
    for process in pair():
        code, said = ended(process)
        assert code == 0, said
    two = tmp_path / "run"
    two = two.rename(tmp_path / "two")
    code, said = ended(train("--devices=cpu:2"))
    assert code == 0, said
    one = tmp_path / "run"

    for name in ("losses.csv", "metrics.csv"):
        got, want = (
            np.genfromtxt(folder / name, delimiter=",", skip_header=1)
            for folder in (two, one)
        )
        assert len(want)
        np.testing.assert_allclose(got, want, rtol=1e-6)
    got, want = last_weights(two), last_weights(one)
    for path, array in want.items():
        np.testing.assert_allclose(
            got[path], array, rtol=1e-6, atol=1e-6 * np.abs(array).max()
        )


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_when_one_is_killed_the_other_ends_and_the_run_goes_on(
    pair, tmp_path, lost
):
    """Bit for bit as if nothing had happened."""
    pytest.importorskip("jax")
    run = tmp_path / "run"
    # Members as such, without the parents that would outlive them.
    processes = pair(KRESNET_MEMBER="1")
    wait_for_checkpoint(run, 10)
    processes[lost].send_signal(signal.SIGKILL)
    code, said = ended(processes[1 - lost])
    # 75 where it noticed itself; else JAX ends it, and its parent says 75.
    assert code in (75, -signal.SIGABRT), said

    for process in pair():
        code, said = ended(process)
        assert code == 0, said
    resumed = run.rename(tmp_path / "resumed")
    for process in pair():
        assert ended(process)[0] == 0

    assert (run / "losses.csv").read_bytes() == (
        resumed / "losses.csv"
    ).read_bytes()
    want = last_weights(run)
    for path, array in last_weights(resumed).items():
        np.testing.assert_array_equal(array, want[path], err_msg=path)


@pytest.mark.slow
def test_a_signal_to_any_saves_and_stops_all(pair, tmp_path):
    pytest.importorskip("jax")
    processes = pair()
    wait_for_checkpoint(tmp_path / "run", 10)
    processes[1].send_signal(signal.SIGTERM)

    for process in processes:
        code, said = ended(process)
        assert code == 75, said
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["status"] == "stopped"
    assert info["checkpoint"] == info["iteration"]


@pytest.mark.slow
def test_what_one_is_refused_ends_all(pair, train, tmp_path):
    """Also a finished run is found finished by all."""
    pytest.importorskip("jax")
    foreign = tmp_path / "run" / "thesis.txt"
    foreign.parent.mkdir()
    foreign.write_text("not a run")

    first, second = pair()

    assert ended(first)[0] == 73
    code, said = ended(second)
    assert code == 73
    assert "process 0 ended with exit code 73" in said


def test_tensorflow_is_refused_with_the_command_that_works(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")

    with pytest.raises(SpecError, match="KERAS_BACKEND=jax kresnet train"):
        Membership("host:7711", 2, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("host", 2, 0),
        ("host:0", 2, 0),
        (":7711", 2, 0),
        ("host:7711", 2, 2),
        ("host:7711", 2, -1),
        ("host:7711", None, 0),
        ("host:7711", 2, None),
        ("auto", 2, 0),
    ],
)
def test_a_membership_that_makes_no_sense_is_refused(monkeypatch, arguments):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")

    with pytest.raises(SpecError, match=r"--coordinator|--process"):
        Membership(*arguments)
