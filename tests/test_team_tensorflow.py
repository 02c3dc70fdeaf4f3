"""Several processes that train one network together on TensorFlow."""

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

from kresnet.machine.links import Link, LinkLostError
from kresnet.machine.team import HEARTBEAT_SECONDS

pytestmark = pytest.mark.slow

SETTINGS = [
    "--set=training.iterations=60",
    "--set=training.learning_rate={start: 0.01, divide_by: 10, at: [30]}",
    "--set=training.evaluate_every=20",
    # Several groups of batch norm for a process, each a pass of its own.
    "--set=model.batch_norm.images_per_statistic=16",
    "--set=training.gradient_clip=0.5",
    "--set=training.warm_up={learning_rate: 0.001,"
    " until_training_error: 95, over: 3, limit: 60}",
    "--checkpoint-every=10",
    "--gradients-every=25",
]
TABLES = "losses.csv", "metrics.csv", "gradients.csv"
SECONDS = 300  # that a process may take, far more than it needs
AS_MEMBER = {"KRESNET_MEMBER": "1"}  # without a parent that outlives it
CLUSTERS = ("SLURM_", "KUBERNETES_", "OMPI_", "TF_CONFIG")
NO_CLUSTER = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(CLUSTERS)
}


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Starts `kresnet train digits` in float64 on TensorFlow."""
    home = tmp_path_factory.mktemp("home")
    (home / "keras.json").write_text(json.dumps({"floatx": "float64"}))
    started = []

    def start(out, *options, **environment):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "kresnet", "train", "digits"),
                *(*SETTINGS, f"--out={out}", *options),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **NO_CLUSTER,
                "KERAS_BACKEND": "tensorflow",
                "KERAS_HOME": str(home),
                **environment,
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def pair(train):
    """Starts processes 0 and 1, one of them perhaps without its parent."""

    def start(out, *options, second=(), alone=None):
        common = f"--coordinator=127.0.0.1:{free_port()}", "--processes=2"
        return [
            train(
                out,
                *(*common, f"--process={i}", *options),
                *(second if i else ()),
                **(AS_MEMBER if i == alone else {}),
            )
            for i in range(2)
        ]

    return start


def ended(process):
    """Exit code and what was said."""
    _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said


def all_end(processes, code, *said_by):
    for process, text in zip(processes, said_by, strict=True):
        got, said = ended(process)
        assert got == code, said
        assert text in said


@pytest.fixture(scope="module")
def whole(pair, tmp_path_factory):
    """The folder of a run of two processes that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    all_end(pair(folder), 0, "", "process 1 of 2: training along")
    return folder


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


def test_two_processes_do_what_one_does(whole, train, tmp_path):
    """With a warm-up, a bound on the gradient, and passes of groups."""
    one = tmp_path / "one"
    code, said = ended(train(one))
    assert code == 0, said

    for name in TABLES:
        got, want = (
            np.genfromtxt(folder / name, delimiter=",", skip_header=1)
            for folder in (whole, one)
        )
        assert len(want)
        # The names of layers are no numbers, and NaN on both sides.
        np.testing.assert_allclose(got, want, rtol=1e-12)
    got, want = last_weights(whole), last_weights(one)
    for path, array in want.items():
        np.testing.assert_allclose(
            got[path], array, rtol=1e-9, atol=1e-12 * np.abs(array).max()
        )


@pytest.mark.parametrize("lost", [0, 1])
def test_when_one_is_killed_the_other_ends_and_the_run_goes_on(
    whole, pair, tmp_path, lost, whole_form
):
    """Bit for bit as if nothing had happened."""
    if lost and not whole_form:
        pytest.skip("process 0 is killed in the short form, both in the whole")
    run = tmp_path / "run"
    processes = pair(run, alone=lost)
    wait_for_checkpoint(run, 10)
    processes[lost].send_signal(signal.SIGKILL)
    since = time.monotonic()

    code, said = ended(processes[1 - lost])

    assert code == 75, said
    assert time.monotonic() - since < 60
    said = " ".join(said.split())
    assert "another process of this training is gone; start all" in said

    all_end(pair(run), 0, "continuing at iteration", "training along from")
    name = "losses.csv"
    assert (run / name).read_bytes() == (whole / name).read_bytes()
    want = last_weights(whole)
    for path, array in last_weights(run).items():
        np.testing.assert_array_equal(array, want[path], err_msg=path)


def test_a_signal_to_any_saves_and_stops_all(pair, tmp_path):
    """TensorFlow's own service would take SIGTERM for itself."""
    processes = pair(tmp_path / "run")
    wait_for_checkpoint(tmp_path / "run", 10)
    processes[1].send_signal(signal.SIGTERM)

    all_end(processes, 75, "stopped by SIGTERM", "")
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["status"] == "stopped"
    assert info["checkpoint"] == info["iteration"]


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--checkpoint-every=20", "different specs, seeds, data sets or opt"),
        ("--devices=cpu:2", "must be cpu in a team on TensorFlow"),
    ],
)
def test_processes_that_do_not_run_the_same_all_end(
    pair, tmp_path, option, reason
):
    """They would wait for each other for ever."""
    run = tmp_path / "run"
    first, second = pair(run, second=[option])

    code, said = ended(second)
    assert code == 2, said
    assert reason in said
    if "--devices" in option:
        first.send_signal(signal.SIGTERM)  # it waits up to five minutes
        assert ended(first)[0] == 143
    else:
        assert ended(first)[0] == 2
    assert not run.exists()


def test_slurm_brings_processes_together(whole, train, tmp_path):
    """Process 1 has no run to show a summary of."""
    processes = [
        train(
            *(folder, "--coordinator=auto", "--devices=cpu"),
            SLURM_JOB_ID=str(os.getpid()),  # the port comes from it
            SLURM_STEP_NODELIST="localhost",
            SLURM_STEP_NUM_TASKS="2",
            SLURM_PROCID=str(i),
        )
        for i, folder in enumerate([whole, tmp_path / "none"])
    ]

    all_end(processes, 0, "already finished", "process 1: already finished")


def test_without_a_cluster_there_is_nothing_to_find(train, tmp_path):
    code, said = ended(
        train(tmp_path / "run", "--coordinator=auto", **AS_MEMBER)
    )

    assert code == 69
    assert "auto found no processes by SLURM; else name HOST:PORT" in said


def test_a_link_carries_messages_whole_and_says_when_it_ends():
    ends = socket.create_server(("127.0.0.1", 0))
    near = socket.create_connection(ends.getsockname())
    far, _ = ends.accept()
    ends.close()
    lost = []
    link, other = (Link(each, HEARTBEAT_SECONDS) for each in (near, far))
    link.watch(lost.append)
    messages = [b"", b"x" * 1_000_000, bytes(range(256))]
    for message in messages:
        other.send(message)

    assert [link.receive() for _ in messages] == messages
    assert not lost

    far.close()
    for _ in range(2):
        with pytest.raises(LinkLostError):
            link.receive()
    give_up = time.monotonic() + 10
    while not lost:
        assert time.monotonic() < give_up
    assert lost == ["a process has closed its connection"]
    near.close()


@pytest.mark.parametrize("name", ["UnavailableError", "DeadlineExceededError"])
def test_an_operation_that_the_network_broke_is_a_loss(name):
    """A cut may end before the links notice it, and break TensorFlow's own."""
    tf = pytest.importorskip("tensorflow")
    # It imports parts of TensorFlow that a process without a team does not.
    from kresnet.machine.team import ProcessLostError
    from kresnet.machine.team_tensorflow import TensorFlowTeam

    team = TensorFlowTeam(0, 2, [], None)
    broken = getattr(tf.errors, name)(None, None, "Graph execution error:\n\n")

    with (
        pytest.raises(ProcessLostError, match=r"Graph execution error:\)$"),
        team.watch(),
    ):
        raise broken
