"""Several processes that train one network together."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import small_network
from safetensors.numpy import load_file

from kresnet.errors import SpecError
from kresnet.machine.children import supervise
from kresnet.machine.team import (
    HEARTBEAT_SECONDS,
    SECONDS_TO_RESOLVE,
    Membership,
)

SETTINGS = [
    *(f"--set={override}" for override in small_network.OVERRIDES),
    "--set=training.iterations=60",
    "--set=training.learning_rate={start: 0.01, divide_by: 10, at: [30]}",
    "--set=training.evaluate_every=20",
    "--checkpoint-every=10",
    "--gradients-every=25",
]
SECONDS = 300  # that a process may take, far more than it needs
AS_MEMBER = {"KRESNET_MEMBER": "1"}  # without a parent that outlives it
CLUSTERS = ("SLURM_", "KUBERNETES_", "OMPI_")
NO_CLUSTER = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(CLUSTERS)
}


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Starts `kresnet train digits` in float64 on JAX, TensorFlow hidden."""
    pytest.importorskip("jax")
    home = tmp_path_factory.mktemp("home")
    (home / "tensorflow.py").write_text("raise ImportError('hidden')")
    (home / "keras.json").write_text(json.dumps({"floatx": "float64"}))
    started = []

    def start(out, *options, settings=SETTINGS, **environment):
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "kresnet", "train", "digits"),
                *(*settings, f"--out={out}", *options),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **NO_CLUSTER,
                "KERAS_BACKEND": "jax",
                "JAX_ENABLE_X64": "1",
                "KERAS_HOME": str(home),
                "PYTHONPATH": str(home),
                **environment,
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def pair(train):
    """Starts processes 0 and 1.

    With options for both, more for the second, and one without its parent.
    """

    def start(out, *options, second=(), alone=None, settings=SETTINGS):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = f"--coordinator=127.0.0.1:{port}", "--processes=2"
        return [
            train(
                out,
                *(*common, f"--process={i}", "--devices=cpu", *options),
                *(second if i else ()),
                settings=settings,
                **(AS_MEMBER if i == alone else {}),
            )
            for i in range(2)
        ]

    return start


@pytest.fixture(scope="module")
def whole(pair, tmp_path_factory):
    """The folder of a run of two processes that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    for process in pair(folder):
        code, said = ended(process)
        assert code == 0, said
    return folder


@pytest.fixture(scope="module")
def one(train, tmp_path_factory):
    """That of one process with two devices."""
    folder = tmp_path_factory.mktemp("one") / "run"
    code, said = ended(train(folder, "--devices=cpu:2"))
    assert code == 0, said
    return folder


def ended(process):
    """Exit code and what was said."""
    _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said


def wait_for_checkpoint(folder, iteration):
    path = folder / "checkpoints" / f"{iteration:08d}"
    give_up = time.monotonic() + SECONDS
    while not path.is_dir():
        assert time.monotonic() < give_up, f"no {path}"
        time.sleep(0.01)


def all_end(processes, code, said_by_first, said_by_second):
    first, second = map(ended, processes)
    assert first[0] == code, first[1]
    assert said_by_first in first[1]
    assert second[0] == code, second[1]
    assert said_by_second in second[1]


def last_weights(folder):
    return load_file(
        folder / "checkpoints" / "00000060" / "weights.safetensors"
    )


@pytest.mark.slow
def test_two_processes_do_what_one_with_two_devices_does(whole, one):
    for name in ("losses.csv", "metrics.csv", "gradients.csv"):
        got, want = (
            np.genfromtxt(folder / name, delimiter=",", skip_header=1)
            for folder in (whole, one)
        )
        assert len(want)
        # The names of layers are no numbers, and NaN on both sides.
        np.testing.assert_allclose(got, want, rtol=1e-6)
    got, want = last_weights(whole), last_weights(one)
    for path, array in want.items():
        np.testing.assert_allclose(
            got[path], array, rtol=1e-6, atol=1e-6 * np.abs(array).max()
        )


@pytest.mark.slow
def test_when_one_is_killed_the_other_ends_and_the_run_goes_on(
    whole, pair, tmp_path
):
    """Either of them; bit for bit as if nothing had happened."""
    run = tmp_path / "run"
    for lost, iteration in enumerate((10, 40)):
        processes = pair(run, alone=lost)
        wait_for_checkpoint(run, iteration)
        processes[lost].send_signal(signal.SIGKILL)
        # It notices itself, or JAX ends it and its parent says so.
        code, said = ended(processes[1 - lost])
        assert code == 75, said
        said = " ".join(said.split())
        assert "another process of this training is gone; start all" in said
        assert "it goes on from its last checkpoint" in said

    for process in pair(run):
        code, said = ended(process)
        assert code == 0, said

    name = "losses.csv"
    assert (run / name).read_bytes() == (whole / name).read_bytes()
    want = last_weights(whole)
    for path, array in last_weights(run).items():
        np.testing.assert_array_equal(array, want[path], err_msg=path)


def plain(blocks):
    """Settings of a short training of a plain net."""
    return [
        "--set=model.stem.width=8",
        "--set=model.stages=[{block: plain, width: 8, stride: 1,"
        f" blocks: {blocks}}}]",
        "--set=training.learning_rate={start: 0.01, divide_by: 10, at: []}",
        "--set=training.iterations=10",
    ]


@pytest.mark.slow
def test_a_team_deepens_a_network_as_one_process_does(train, pair, tmp_path):
    shallow, one, both = (tmp_path / name for name in ("shallow", "one", "two"))
    code, said = ended(train(shallow, "--devices=cpu", settings=plain(1)))
    assert code == 0, said
    deepen, deeper = f"--deepen={shallow}", plain(2)

    for process in (
        train(one, deepen, "--devices=cpu:2", settings=deeper),
        *pair(both, deepen, settings=deeper),
    ):
        code, said = ended(process)
        assert code == 0, said

    got, want = (
        np.genfromtxt(run / "losses.csv", delimiter=",", skip_header=1)
        for run in (both, one)
    )
    assert want.shape == (10, 3)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    got, want = (
        json.loads((run / "run.json").read_text()) for run in (both, one)
    )
    assert got["identity"] == want["identity"]
    assert got["deepened"] == pytest.approx(want["deepened"])


@pytest.mark.slow
def test_a_signal_to_any_saves_and_stops_all(pair, tmp_path):
    processes = pair(tmp_path / "run")
    wait_for_checkpoint(tmp_path / "run", 10)
    processes[1].send_signal(signal.SIGTERM)

    for process in processes:
        code, said = ended(process)
        assert code == 75, said
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["status"] == "stopped"
    assert info["checkpoint"] == info["iteration"]


@pytest.mark.slow
def test_a_signal_to_all_and_to_those_they_started_saves_and_stops(
    pair, tmp_path
):
    """SLURM sends it to every process, and the parents pass it on."""
    processes = pair(tmp_path / "run")
    wait_for_checkpoint(tmp_path / "run", 10)
    for process in processes:
        process.send_signal(signal.SIGUSR1)
        path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        for child in path.read_text().split() if path.exists() else ():
            os.kill(int(child), signal.SIGUSR1)

    for process in processes:
        code, said = ended(process)
        assert code == 75, said


@pytest.mark.slow
def test_where_the_training_diverges_process_0_says_it(pair, tmp_path):
    """The others see it too, while they measure together."""
    warm_up = (
        "--set=training.warm_up={learning_rate: 0.000001,"
        " until_training_error: 5.0, over: 3, limit: 6}"
    )

    all_end(
        pair(tmp_path / "run", warm_up, "--gradients-every=6"),
        70,
        "the warm-up has not ended after 6 iterations",
        "process 0 ended with exit code 70",
    )


@pytest.mark.slow
def test_what_one_is_refused_ends_all(pair, tmp_path):
    foreign = tmp_path / "run" / "thesis.txt"
    foreign.parent.mkdir()
    foreign.write_text("not a run")

    all_end(
        pair(foreign.parent),
        73,
        "holds files and no run.json",
        "process 0 ended with exit code 73",
    )


@pytest.mark.slow
def test_what_a_run_is_refused_that_goes_on_ends_all(one, pair, tmp_path):
    """Before the models are built, and when their state is put back."""
    run = shutil.copytree(one, tmp_path / "run")
    shutil.rmtree(run / "checkpoints" / "00000060")
    info = json.loads((run / "run.json").read_text())
    info |= {"status": "running", "iteration": 50, "checkpoint": 50}
    (run / "run.json").write_text(json.dumps(info))

    all_end(
        pair(run, "--strict"),
        2,
        "processes: 1 -> 2",
        "process 0 ended with exit code 2",
    )
    metrics = run / "metrics.csv"
    metrics.write_text(metrics.read_text().replace(",", ";"))
    all_end(
        pair(run),
        65,
        "metrics.csv: was changed",
        "process 0 ended with exit code 65",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--checkpoint-every=20", "different specs, seeds, data sets or opt"),
        ("--devices=cpu:2", "1 in process 0, 2 in process 1"),
    ],
)
def test_processes_that_do_not_run_the_same_all_end(
    pair, tmp_path, option, reason
):
    """They would wait for each other for ever."""
    run = tmp_path / "run"

    all_end(pair(run, second=[option]), 2, reason, reason)

    assert not run.exists()


@pytest.mark.slow
def test_a_port_that_is_taken_is_said(train, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = ended(
            train(
                tmp_path / "run",
                f"--coordinator=127.0.0.1:{port}",
                "--processes=2",
                "--process=0",
                **AS_MEMBER,
            )
        )

    assert code == 69
    assert f"cannot listen at port {port} of this machine" in said


@pytest.mark.slow
def test_without_a_cluster_there_is_nothing_to_find(train, tmp_path):
    """JAX itself says only that an address should be defined."""
    run = tmp_path / "run"

    code, said = ended(train(run, "--coordinator=auto", **AS_MEMBER))

    assert code == 69
    assert "auto found no processes by SLURM or Kubernetes" in said
    assert "name HOST:PORT, --processes and --process" in said


@pytest.mark.slow
def test_slurm_brings_processes_together(whole, train, tmp_path):
    """Process 1 has no run to show a summary of."""
    processes = [
        train(
            *(folder, "--coordinator=auto", "--devices=cpu"),
            SLURM_JOB_ID=str(os.getpid()),  # the port comes from it
            SLURM_STEP_NODELIST="localhost",
            SLURM_NTASKS="2",
            SLURM_STEP_NUM_TASKS="2",
            SLURM_PROCID=str(i),
            SLURM_LOCALID=str(i),
        )
        for i, folder in enumerate([whole, tmp_path / "none"])
    ]

    all_end(processes, 0, "already finished", "process 1: already finished")


TOO_LATE = """
import jax
from kresnet.machine.team import Membership, join
from kresnet.errors import SpecError
jax.devices()
try:
    join(Membership("127.0.0.1:7711", 2, 1), None)
except SpecError as error:
    print(error)
"""


def test_processes_must_find_each_other_before_jax_is_used(on_jax):
    pytest.importorskip("jax")

    assert b"must come before JAX is used in this process" in on_jax(TOO_LATE)


HOSTS = """
import types
import jax
from kresnet.errors import DeviceMissingError
from kresnet.machine import team

ADDRESSES = {"first": "10.0.0.1", "second": "127.0.1.1"}

def look_up(name, *_, **__):
    if name not in ADDRESSES:
        raise OSError("Name or service not known")
    return [(0, 0, 0, "", (ADDRESSES[name], 0))]

def never_met(**_):
    raise jax.errors.JaxRuntimeError("DEADLINE_EXCEEDED: nobody came")

team.socket.getaddrinfo = look_up
team.socket.gethostname = lambda: "second"
team.time.sleep = lambda _: None
jax.distributed.initialize = never_met
for host in "nowhere", "first":
    try:
        team.join(team.Membership(f"{host}:7711", 2, 1), "cpu", print)
    except DeviceMissingError as error:
        print(error.exit_code, error)
"""


def test_a_host_that_cannot_be_reached_is_named(on_jax):
    """Debian's usual 127.0.1.1 is said before the wait, with what to write."""
    pytest.importorskip("jax")

    unknown, refused, own, waiting, apart = on_jax(HOSTS).decode().splitlines()

    assert "--coordinator: nowhere: no address of this name" in unknown
    assert refused.startswith("69 --coordinator: nowhere: no address")
    assert "in /etc/hosts, in place of the line 127.0.1.1 second" in own
    assert waiting.startswith("--coordinator: first: waiting for all processes")
    assert apart.startswith("69 --coordinator: first: the processes cannot be")


@pytest.mark.parametrize(
    ("program", "code", "says"),
    [
        ("import os; os.abort()", 69, "--coordinator: host:1: the processes"),
        (
            "import os; os.write(int(os.environ['KRESNET_JOINED']), b'!');"
            " os.abort()",
            75,
            "another process of this training is gone",
        ),
        ("import sys; sys.exit(65)", 65, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137, ""),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGUSR1)",
            138,
            "kresnet: ended by SIGUSR1",
        ),
    ],
)
def test_a_parent_ends_as_its_member_did_or_says_what_jax_did_not(
    tmp_path, monkeypatch, capfd, program, code, says
):
    """JAX ends a process by SIGABRT that has lost another, or met none."""
    (tmp_path / "kresnet.py").write_text(program)  # found before the package
    monkeypatch.chdir(tmp_path)

    assert supervise("host:1") == code

    said = capfd.readouterr().err
    assert said.startswith(says)
    assert bool(said) == bool(says)


def test_the_time_is_documented_after_which_a_process_is_lost():
    page = Path(__file__).parent.parent / "docs" / "clusters.md"

    said = " ".join(page.read_text("utf-8").split())
    assert f"after at most {HEARTBEAT_SECONDS} seconds on GPUs" in said
    assert f"for {SECONDS_TO_RESOLVE} seconds" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("host", 2, 0),
        ("host:0", 2, 0),
        (":7711", 2, 0),
        ("host:٣", 2, 0),
        pytest.param((f"host:{'9' * 5_000}", 2, 0), id="a long port"),
        ("host:7711", 2, 2),
        ("host:7711", 2, -1),
        ("host:7711", None, 0),
        ("host:7711", 2, None),
        ("auto", 2, 0),
    ],
)
def test_a_membership_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(SpecError, match=r"--coordinator|--process"):
        Membership(*arguments)
