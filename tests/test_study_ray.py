"""Studies on Ray: nodes lost, runs killed, studies stopped and continued."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import small_network

from kresnet import cli
from kresnet.cli import run
from kresnet.errors import SpecError
from kresnet.records.folder import RunFolder
from kresnet.study.engines.ray import _shorten_temporary_folder

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="needs the extra ray"
)

SHORT = """
name: short
shows: that Ray changes nothing
runs:
  - spec: digits
    seeds: [0, 1]
    checkpoint_every: 100
    set:
      - training.iterations=400
      - training.learning_rate.at=[200, 300]
      - training.evaluate_every=50
""" + "".join(f'      - "{each}"\n' for each in small_network.OVERRIDES)
THREADS = dict.fromkeys(
    (
        "NPROC",
        "OMP_NUM_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
    ),
    "1",
)
# Two nodes of one CPU each, on this machine, and the head. Each line of its
# input is the process of a node's raylet: the node is killed.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster

size = {"object_store_memory": 100 << 20}
cluster = Cluster(True, head_node_args={"num_cpus": 0, **size})
nodes = [cluster.add_node(num_cpus=1, **size) for _ in range(2)]
print("address", cluster.address, flush=True)
for line in sys.stdin:
    [node] = [
        node
        for node in nodes
        if node.all_processes["raylet"][0].process.pid == int(line)
    ]
    cluster.remove_node(node, allow_graceful=False)
    print("removed", flush=True)
cluster.shutdown()
"""
# The runs of the study one after the other, without Ray.
ALONE = """
import sys
import kresnet

spec, out = sys.argv[1:]
for seed in 0, 1:
    kresnet.train(spec, f"{out}/seed{seed}", seed=seed, checkpoint_every=100)
"""


def environment(**changes):
    """Of a Ray that nobody else on this machine's network can talk to."""
    return {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 2,
        "RAY_USAGE_STATS_ENABLED": "0",
        **changes,
    }


def start(folder, out, *options, **changes):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "kresnet", "study"),
            *(folder / "study.yaml", f"--out={out}", *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**changes),
        start_new_session=True,
    )


def wait_until(true, process):
    while not true():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def evaluated(folder):
    """Whether a run has trained: its metrics have a row."""
    path = folder / "metrics.csv"
    return path.exists() and path.read_text().count("\n") > 1


def info(folder):
    return json.loads((folder / "run.json").read_text())


def saved(folder):
    """Whether a run has its first checkpoint."""
    return (folder / "checkpoints" / "00000100").exists()


def status(folder):
    return info(folder)["status"]


def holder(folder):
    """The process that signed the lock of a run."""
    signed = (folder / ".lock").read_text()
    return int(re.match(r"process (\d+) on ", signed)[1])


def parent(process):
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]
    return int(fields.split()[1])


def content(folder):
    """What must not depend on who ran it, nor on interruptions."""
    last = folder / "checkpoints" / "00000400"
    return {
        path.name: path.read_bytes()
        for path in (
            last / "weights.safetensors",
            last / "optimizer.safetensors",
            folder / "metrics.csv",
            folder / "losses.csv",
        )
    }


@pytest.fixture(scope="module")
def cluster():
    """The process of a cluster of two nodes, and its address.

    One of the tests removes a node; the others need only one.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )
    with process:
        said = ""
        while not (found := re.search(r"^address (\S+)$", said, re.M)):
            assert process.poll() is None, said
            said += process.stdout.readline()
        yield process, found[1]


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_study_that_loses_a_node_and_a_process_ends_with_the_same_weights(
    tmp_path, cluster
):
    """A node goes in the middle of one run; the other run is killed."""
    (tmp_path / "study.yaml").write_text(SHORT)
    nodes, address = cluster
    lost, killed = (tmp_path / "ray" / "digits" / f"seed{i}" for i in (0, 1))

    study = start(
        tmp_path, tmp_path / "ray", "--engine=ray", f"--address={address}"
    )

    def lose_the_node():
        raylet = parent(parent(holder(lost)))
        nodes.stdin.write(f"{raylet}\n")
        nodes.stdin.flush()
        while nodes.stdout.readline() not in ("removed\n", ""):
            pass

    todo = {
        lost: lose_the_node,
        killed: lambda: os.kill(holder(killed), signal.SIGKILL),
    }
    while todo:
        wait_until(lambda: any(map(saved, todo)), study)
        todo.pop(next(filter(saved, todo)))()
    _, said = study.communicate()

    assert study.returncode == 0, said
    # On the lost node Ray may leave a run the time to save, or not; who is
    # killed goes on from an evaluation or a checkpoint, every 50 iterations.
    for folder, iteration in ((lost, r"[1-3]\d\d"), (killed, "[1-3][05]0")):
        log = folder.with_name(f"{folder.name}.log").read_text()
        assert re.search(f"continuing at iteration {iteration} of 400", log)

    spec = tmp_path / "ray" / "specs" / "digits.yaml"
    subprocess.run(
        [sys.executable, "-c", ALONE, spec, tmp_path / "alone"],
        env=environment(**THREADS),
        check=True,
    )
    for folder in (lost, killed):
        other = tmp_path / "alone" / folder.name
        assert content(folder) == content(other)
        assert info(folder)["hardware"] == info(other)["hardware"]


@needs_ray
@pytest.mark.slow
def test_a_study_is_stopped_with_its_runs_and_the_same_command_continues(
    tmp_path,
):
    """Ctrl-C reaches all processes of a terminal, Ray's too."""
    (tmp_path / "study.yaml").write_text(SHORT)
    out = tmp_path / "out"
    first_run = out / "digits" / "seed0"

    first = start(tmp_path, out, "--engine=ray")
    wait_until(lambda: evaluated(first_run), first)
    os.killpg(first.pid, signal.SIGINT)
    _, said = first.communicate()

    assert first.returncode == 75, said
    assert "the same command continues" in said
    assert status(first_run) == "stopped"

    second = start(tmp_path, out, "--engine=ray")
    _, said = second.communicate()

    assert second.returncode == 0, said
    assert {status(path) for path in out.glob("digits/seed?")} == {"finished"}
    log = first_run.with_name("seed0.log").read_text()
    assert "continuing at iteration" in log
    assert (out / "report" / "index.html").exists()


@needs_ray
@pytest.mark.slow
def test_an_error_of_a_run_is_said_and_ends_the_study_with_its_code(
    tmp_path, cluster
):
    (tmp_path / "study.yaml").write_text(SHORT.replace("digits", "resnet20"))

    study = start(
        *(tmp_path, tmp_path / "out", "--engine=ray"),
        *(f"--address={cluster[1]}", f"--data-dir={tmp_path}"),
    )
    _, said = study.communicate()

    assert study.returncode == 66
    assert str(tmp_path / "cifar10") in said
    assert "ended with exit code 66" in said


@needs_ray
@pytest.mark.slow
def test_more_than_any_node_has_is_refused(tmp_path, cluster):
    (tmp_path / "study.yaml").write_text(SHORT)

    study = start(
        *(tmp_path, tmp_path / "out", "--engine=ray"),
        *(f"--address={cluster[1]}", "--cpus-per-run=10000"),
    )
    _, said = study.communicate()

    assert study.returncode == 69
    assert "no node of the cluster has the 10000 CPUs" in said


@needs_ray
@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_missing(tmp_path):
    (tmp_path / "study.yaml").write_text(SHORT)

    study = start(
        tmp_path, tmp_path / "out", "--engine=ray", "--address=127.0.0.1:9"
    )
    _, said = study.communicate()

    assert study.returncode == 69
    assert "127.0.0.1:9: no Ray cluster" in said


@needs_ray
@pytest.mark.parametrize(
    ("address", "code", "what"),
    [
        ("x", 2, "must be HOST:PORT"),
        ("http://127.0.0.1:9", 2, "must be HOST:PORT"),
        ("127.0.0.1:²", 2, "must be HOST:PORT"),
        ("a..b:9", 69, "no Ray cluster to connect to"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path, address, code, what):
    (tmp_path / "study.yaml").write_text(SHORT)

    study = start(
        tmp_path, tmp_path / "out", "--engine=ray", f"--address={address}"
    )
    _, said = study.communicate()

    assert study.returncode == code
    assert what in said


@pytest.mark.slow
def test_a_run_saves_and_stops_when_who_started_it_is_killed(tmp_path):
    """As of a study, of a team's member, or of Ray's worker."""
    out = tmp_path / "run"
    program = (
        "import sys; from kresnet.machine.children import run_child;"
        "run_child(sys.argv[1:])"
    )
    with subprocess.Popen(
        [
            *(sys.executable, "-c", program, "train", "digits"),
            *("--set=training.evaluate_every=50", f"--out={out}"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: evaluated(out), process)
        process.kill()
        said = process.stderr.read()  # until the run has closed it too

    assert "stopped by SIGTERM at iteration" in said
    assert status(out) == "stopped"
    with RunFolder(out):  # nobody holds its lock
        pass


def test_without_ray_the_extra_is_named(tmp_path):
    (tmp_path / "study.yaml").write_text(SHORT)
    hidden = (
        "import sys; sys.modules['ray'] = None; import kresnet.cli;"
        "kresnet.cli.main()"
    )
    ran = subprocess.run(
        [
            *(sys.executable, "-c", hidden, "study", tmp_path / "study.yaml"),
            *("--engine=ray", f"--out={tmp_path / 'out'}"),
        ],
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 66
    assert "pip install 'kresnet[ray]'" in ran.stderr


def test_a_temporary_folder_that_is_too_long_for_sockets_is_not_used(
    monkeypatch, capsys
):
    """A socket's name has 107 bytes at most; Ray itself ends in "AF_UNIX"."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp/" + "x" * 63)
    _shorten_temporary_folder()
    assert os.environ["RAY_TMPDIR"] == "/tmp"
    assert "its files go to /tmp" in capsys.readouterr().err

    monkeypatch.setenv("RAY_TMPDIR", "/tmp/" + "é" * 20)
    with pytest.raises(SpecError, match="RAY_TMPDIR: must have at most 37 b"):
        _shorten_temporary_folder()


@pytest.mark.parametrize(
    "option", ["--address=auto", "--cpus-per-run=2", "--gpus-per-run=0"]
)
def test_options_of_ray_need_it(option, capsys):
    assert run(cli.app, ["study", "depth", option]) == 2
    assert f"{option.split('=')[0]}: needs --engine ray" in (
        capsys.readouterr().err
    )
