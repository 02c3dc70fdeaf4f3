"""Studies whose runs are jobs of a real SLURM."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time

import clusters
import pytest

from kresnet import cli
from kresnet.errors import SpecError
from kresnet.study.engines.slurm import parse_minutes, parse_options

STUDY = """
name: short
shows: That a study runs under SLURM.
runs:
  - name: good
    spec: digits
    seeds: [0, 1]
    set: [training.iterations=400, "training.learning_rate.at=[200]",
          training.evaluate_every=100]
    checkpoint_every: 50
  - name: bad
    spec: digits
    seeds: [0]
    set: [training.iterations=60, training.evaluate_every=60,
          "training.learning_rate={start: 100, divide_by: 10, at: [30]}"]
"""
ONE = STUDY.partition("  - name: bad")[0].replace("[0, 1]", "[0]")
SECONDS = 400  # that anything may take, far more than it needs

reason = clusters.reason_without_slurm()
if importlib.util.find_spec("submitit") is None:
    reason = "not installed: submitit"
needs_slurm = pytest.mark.skipif(reason is not None, reason=str(reason))


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with clusters.Slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def study(slurm, tmp_path):
    """Starts `kresnet study` with SLURM, or in processes of this machine."""
    started = []

    def start(text, out, *options, **environment):
        (tmp_path / "study.yaml").write_text(text)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "kresnet", "study"),
                *(str(tmp_path / "study.yaml"), f"--out={out}", *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **slurm.environment, **environment},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    slurm.call("scancel", "--user=root")


@pytest.fixture(scope="module")
def alone(tmp_path_factory, whole_form):
    """The folder of the same study, run here in one piece; at least seed 0."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "study.yaml").write_text(STUDY if whole_form else ONE)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "kresnet", "study"),
            *(folder / "study.yaml", "--only=good", f"--out={folder / 'out'}"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, **clusters.ONE_THREAD},
    )
    assert ran.returncode == 0, ran.stderr
    return folder / "out"


def ended(process):
    said, _ = process.communicate(timeout=SECONDS)
    return process.returncode, said


def wait_until(true, process=None):
    give_up = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < give_up
        assert process is None or process.poll() is None, ended(process)
        time.sleep(0.2)


def saved(run):
    return any((run / "checkpoints").glob("0*"))


def status(run):
    try:
        return json.loads((run / "run.json").read_text())["status"]
    except FileNotFoundError:
        return None


def content(run):
    """What the bits of a run are in."""
    names = ["losses.csv", "metrics.csv"]
    names += [
        f"checkpoints/00000400/{name}.safetensors"
        for name in ("weights", "optimizer")
    ]
    return {name: (run / name).read_bytes() for name in names}


def continued(run):
    log = run.with_name(f"{run.name}.log").read_text()
    return re.findall(r"continuing at iteration (\d+) of 400", log)


def job_of(out, run):
    jobs = json.loads((out / "jobs" / "jobs.json").read_text())["jobs"]
    return jobs[f"{run.parent.name}-{run.name}"]["job"]


@needs_slurm
@pytest.mark.slow
def test_runs_go_on_after_a_preemption_one_diverges_one_is_cancelled(
    study, slurm, alone, tmp_path, whole_form
):
    """And the same command runs the one that was cancelled."""
    out = tmp_path / "out"
    first, second = (out / "good" / f"seed{i}" for i in (0, 1))
    waiting = study(STUDY, out, "--engine=slurm", "--time=20")
    wait_until(lambda: saved(first), waiting)
    slurm.preempt(1)
    wait_until(lambda: status(first) == "stopped", waiting)
    wait_until(lambda: status(first) in ("running", "finished"), waiting)
    # Whoever has a node: the second run is there, or will be.
    slurm.call("scancel", job_of(out, second))

    code, said = ended(waiting)

    assert code == 75, said
    assert f"{second}: its job was cancelled" in " ".join(said.split())
    assert status(first) == "finished"
    assert status(out / "bad" / "seed0") == "diverged"
    assert continued(first)

    code, said = ended(study(STUDY, out, "--engine=slurm"))

    assert code == 0, said
    for run in (first, second) if whole_form else (first,):
        assert content(run) == content(alone / run.relative_to(out))
    assert (out / "report" / "index.html").exists()


@needs_slurm
@pytest.mark.slow
def test_a_run_goes_on_after_its_node_is_lost(
    study, slurm, alone, tmp_path, whole_form
):
    if not whole_form:
        pytest.skip("the whole form alone: SLURM takes a minute to notice")
    out = tmp_path / "out"
    run = out / "good" / "seed0"
    waiting = study(ONE, out, "--engine=slurm")
    wait_until(lambda: saved(run), waiting)
    job = job_of(out, run)
    node = slurm.call("squeue", "-h", "-j", job, "-o", "%N").strip()
    slurm.lose_node(node)

    code, said = ended(waiting)
    slurm.start_node(node)

    assert code == 0, said
    assert continued(run)
    assert content(run) == content(alone / "good" / "seed0")


@needs_slurm
@pytest.mark.slow
def test_a_run_longer_than_its_jobs_ends_with_the_same_bits(
    study, alone, tmp_path, whole_form
):
    """Of a minute each, of which half may be for saving."""
    if not whole_form:
        pytest.skip("the whole form alone: it takes some minutes")
    out = tmp_path / "out"
    run = out / "good" / "seed0"
    slowly = ONE.replace("checkpoint_every: 50", "checkpoint_every: 1")

    code, said = ended(study(slowly, out, "--engine=slurm", "--time=1"))

    assert code == 0, said
    assert content(run) == content(alone / "good" / "seed0")


@needs_slurm
@pytest.mark.slow
def test_a_study_is_left_looked_at_and_cancelled(study, slurm, tmp_path):
    out = tmp_path / "out"
    run = out / "good" / "seed0"

    code, said = ended(study(ONE, out, "--engine=slurm", "--detach"))
    assert code == 0, said
    assert "runs in SLURM's queue: 1" in said
    job = job_of(out, run)

    watching = study(ONE, out, "--engine=slurm")
    wait_until(lambda: status(run) == "running", watching)
    assert job_of(out, run) == job  # it is not submitted twice
    watching.send_signal(signal.SIGINT)
    code, said = ended(watching)
    assert code == 75, said
    assert "1 runs go on without this command" in " ".join(said.split())

    code, said = ended(study(ONE, out, "--engine=slurm", "--cancel"))
    assert code == 0, said
    assert "jobs cancelled: 1" in said
    wait_until(lambda: status(run) == "stopped")


@needs_slurm
@pytest.mark.slow
def test_what_slurm_or_a_run_refuses_is_said(study, tmp_path):
    code, said = ended(
        study(ONE, tmp_path / "a", "--engine=slurm", "--partition=none")
    )
    assert code == 69, said
    assert "SLURM does not take its job" in " ".join(said.split())
    assert "invalid partition" in " ".join(said.split())

    text = ONE.replace("spec: digits", "spec: resnet20")
    data = f"--data-dir={tmp_path}"
    code, said = ended(study(text, tmp_path / "b", "--engine=slurm", data))
    assert code == 66, said
    assert str(tmp_path / "cifar10") in said
    assert "ended with exit code 66" in said


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("1:30", 2),
        ("2:00:00", 120),
        ("1-0", 1_440),
        ("1-2:30", 1_590),
        ("0-0:0:1", 1),
    ],
)
def test_a_time_is_read_as_sbatch_reads_it(text, minutes):
    """Minutes, M:S, H:M:S, D-H, D-H:M and D-H:M:S, in whole minutes."""
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize(
    "text", ["", "0", "1h", "-5", "1:2:3:4", "9" * 40, "٣"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(SpecError, match="--time: must be"):
        parse_minutes(text)


def test_options_of_sbatch_are_handed_on_but_for_those_that_are_needed():
    assert parse_options(["qos=long", "--exclusive", "constraint=a=b"]) == {
        "qos": "long",
        "exclusive": True,
        "constraint": "a=b",
    }
    for text in ("output=/x", "signal=B:USR1@5", "array=0-3"):
        with pytest.raises(SpecError, match="is kresnet's own"):
            parse_options([text])
    for text in ("", "=1", "a b=1", "qos=a\n#SBATCH --uid=0"):
        with pytest.raises(SpecError, match="must be NAME=VALUE"):
            parse_options([text])


@pytest.mark.parametrize(
    "option", ["--partition=a", "--time=5", "--detach", "--slurm-option=a=b"]
)
def test_options_of_slurm_need_it(option, capsys):
    assert cli.run(cli.app, ["study", "depth", option]) == 2
    assert f"{option.split('=')[0]}: needs --engine slurm" in (
        capsys.readouterr().err
    )


@needs_slurm
def test_where_nothing_was_submitted_there_is_nothing_to_cancel(
    slurm, tmp_path, monkeypatch, capsys
):
    """And no folder comes of it."""
    (tmp_path / "study.yaml").write_text(ONE)
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    arguments = ["study", str(tmp_path / "study.yaml"), "--engine=slurm"]
    out = tmp_path / "out"

    assert cli.run(cli.app, [*arguments, f"--out={out}", "--cancel"]) == 0

    assert "jobs cancelled: 0" in capsys.readouterr().out
    assert not out.exists()


def test_without_slurm_it_is_said(tmp_path, monkeypatch, capsys):
    (tmp_path / "study.yaml").write_text(ONE)
    monkeypatch.setenv("PATH", str(tmp_path))
    arguments = ["study", str(tmp_path / "study.yaml"), "--engine=slurm"]

    assert cli.run(cli.app, [*arguments, f"--out={tmp_path / 'out'}"]) == 69

    assert "this machine has no srun" in capsys.readouterr().err
