"""Teams of two processes on two hosts, whose link is cut or loses packets."""

import json
import os
import signal
import subprocess
import sys
import time

import clusters
import pytest

SETTINGS = [
    "--set=training.iterations=200",
    "--set=training.learning_rate={start: 0.01, divide_by: 10, at: [100]}",
    "--set=training.evaluate_every=100",
    "--checkpoint-every=20",
    "--devices=cpu",
    "--coordinator=10.77.0.1:7711",
    "--processes=2",
]
SECONDS = 400
CLUSTERS = ("SLURM_", "KUBERNETES_", "OMPI_")
NO_CLUSTER = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(CLUSTERS)
}

reason = clusters.reason_without_hosts()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(reason is not None, reason=str(reason)),
]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    with clusters.Hosts(tmp_path_factory.mktemp("hosts")) as made:
        yield made


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def backend(request, whole_form):
    if request.param == "jax":
        pytest.importorskip("jax")
        if not whole_form:
            pytest.skip("the whole form alone; the short one has TensorFlow")
    return request.param


@pytest.fixture(scope="module")
def pair(hosts, backend):
    """Starts process 0 on the first host, and process 1 on the second."""
    started = []

    def start(out):
        both = [
            subprocess.Popen(
                [
                    *hosts.command(host),
                    *(sys.executable, "-m", "kresnet", "train", "digits"),
                    *(*SETTINGS, f"--process={i}", f"--out={out}"),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env={**NO_CLUSTER, "KERAS_BACKEND": backend},
            )
            for i, host in enumerate(hosts.addresses)
        ]
        started.extend(both)
        return both

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def whole(pair, tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    all_end(pair(folder), 0)
    return folder


def all_end(processes, code):
    for process in processes:
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode == code, said


def same(run, whole):
    names = ["losses.csv", "metrics.csv"]
    names += [
        f"checkpoints/00000200/{name}.safetensors"
        for name in ("weights", "optimizer")
    ]
    for name in names:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name


def wait_for_checkpoint(folder):
    give_up = time.monotonic() + SECONDS
    while not any((folder / "checkpoints").glob("0*")):
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_a_link_that_is_silent_for_five_seconds_does_no_harm(
    pair, hosts, whole, tmp_path
):
    run = tmp_path / "run"
    processes = pair(run)
    wait_for_checkpoint(run)
    hosts.lose_packets(1.0)
    time.sleep(5)
    before = json.loads((run / "run.json").read_text())["status"]
    hosts.lose_packets(0)

    all_end(processes, 0)

    assert before == "running"
    same(run, whole)


def test_a_link_that_is_silent_for_long_ends_both_and_the_run_goes_on(
    pair, hosts, whole, tmp_path, whole_form
):
    if not whole_form:
        pytest.skip("the whole form alone: a minute and a half of silence")
    run = tmp_path / "run"
    processes = pair(run)
    wait_for_checkpoint(run)
    hosts.lose_packets(1.0)
    time.sleep(90)
    hosts.lose_packets(0)
    all_end(processes, 75)

    all_end(pair(run), 0)

    same(run, whole)


def test_lost_packets_do_no_harm(pair, hosts, whole, tmp_path, whole_form):
    """One of twenty, from the start to the end."""
    if not whole_form:
        pytest.skip("the whole form alone: it is slow")
    run = tmp_path / "run"
    hosts.lose_packets(0.05)
    try:
        all_end(pair(run), 0)
    finally:
        hosts.lose_packets(0)

    same(run, whole)


def test_a_process_that_is_killed_ends_the_other_and_the_run_goes_on(
    pair, whole, tmp_path, whole_form
):
    if not whole_form:
        pytest.skip("the whole form alone; the short one is of one host")
    run = tmp_path / "run"
    first, second = pair(run)
    wait_for_checkpoint(run)
    children = f"/proc/{second.pid}/task/{second.pid}/children"
    with open(children) as file:  # the member itself, and then its parent
        doomed = [*map(int, file.read().split()), second.pid]
    for number in doomed:
        os.kill(number, signal.SIGKILL)
    all_end([first], 75)

    all_end(pair(run), 0)

    same(run, whole)
