"""Whole runs, as commands: interrupted, continued, refused."""

import concurrent.futures
import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from kresnet.errors import CannotWriteError
from kresnet.records.checkpoints import Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.training.logs.log import CsvLog

ITERATIONS = 120
SHORT = [
    "digits",
    f"--set=training.iterations={ITERATIONS}",
    "--set=training.learning_rate.at=[60,90]",
    "--set=training.evaluate_every=30",
]


# All but the one of Keras 3.15's variables under NumPy 2; see pyproject.toml.
WARNINGS = (
    "error,ignore:__array__ implementation doesn't accept a copy keyword:"
    "DeprecationWarning"
)


def environment(**changes):
    return {**os.environ, "PYTHONWARNINGS": WARNINGS, **changes}


def start(*arguments, **changes):
    return subprocess.Popen(
        [sys.executable, "-m", "kresnet", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**changes),
    )


def kresnet(*arguments, **changes):
    process = start(*arguments, **changes)
    out, err = process.communicate()
    assert "Traceback" not in err
    return process.returncode, out, err


def train(out, *more, spec=SHORT, **changes):
    return kresnet("train", *spec, f"--out={out}", *more, **changes)


def final(folder):
    """Bytes of the last checkpoint and metrics.csv."""
    last = folder / "checkpoints" / f"{ITERATIONS:08d}"
    return {
        path.name: path.read_bytes()
        for path in (
            last / "weights.safetensors",
            last / "optimizer.safetensors",
            folder / "metrics.csv",
            folder / "losses.csv",
        )
    }


def content(folder):
    """Bytes of every file of a run."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def info(folder):
    return json.loads((folder / "run.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    code, _, err = train(folder)
    assert code == 0, err
    return folder


def interrupt(folder, number):
    """Sends a signal once there is a checkpoint; returns the exit code.

    It is sent twice, 0.05 s apart, as SLURM does when it preempts a job.
    """
    process = start("train", *SHORT, f"--out={folder}", "--checkpoint-every=7")
    checkpoints = folder / "checkpoints"
    while not (checkpoints.is_dir() and any(checkpoints.glob("0*"))):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.001)
    process.send_signal(number)
    time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate()
    return process.returncode, err


def test_a_killed_run_ends_bit_for_bit_like_an_uninterrupted_one(
    whole, tmp_path
):
    folder = tmp_path / "killed"
    code, _ = interrupt(folder, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert info(folder)["status"] == "running"

    code, _, err = train(folder, "--checkpoint-every=7")

    assert code == 0
    assert "continuing at iteration" in err
    assert final(folder) == final(whole)


def test_a_stopped_run_saves_and_goes_on_where_it_was(whole, tmp_path):
    folder = tmp_path / "stopped"
    code, err = interrupt(folder, signal.SIGTERM)

    stopped_at = info(folder)["iteration"]
    assert code == 75, err
    assert f"stopped by SIGTERM at iteration {stopped_at}" in err
    assert info(folder)["status"] == "stopped"
    assert (folder / "checkpoints" / f"{stopped_at:08d}").is_dir()

    changed = info(folder)
    changed["versions"]["keras"] = "0"
    (folder / "run.json").write_text(json.dumps(changed))
    code, _, err = train(folder)
    assert code == 0
    assert f"continuing at iteration {stopped_at} of {ITERATIONS}" in err
    assert "not be bit-identical" in err
    assert "keras: 0 -> " in err
    assert final(folder) == final(whole)


SECOND_SIGNAL = """
import hashlib, os, signal, threading
from kresnet.machine.signals import Signals

class Saver:
    signal = None

def twice():
    os.kill(os.getpid(), FIRST)
    while saver.signal is None:
        pass
    os.kill(os.getpid(), signal.SIGINT)

saver = Saver()
with Signals(saver):
    threading.Timer(0.1, twice).start()
    # A minute in C, where Python handles no signal.
    hashlib.pbkdf2_hmac("sha256", b"", b"", 100_000_000)
"""


@pytest.mark.parametrize("first", ["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_the_process_at_once(first):
    """Also while the backend keeps Python from handling either.

    The progress bar hid the terminal's cursor: it is shown again.
    """
    terminal, its_other_end = pty.openpty()
    run = subprocess.run(
        [
            *(sys.executable, "-c"),
            SECOND_SIGNAL.replace("FIRST", f"signal.{first}"),
        ],
        stderr=its_other_end,
        check=False,
    )

    assert run.returncode == 128 + signal.SIGINT
    said = os.read(terminal, 4_096)
    assert said.startswith(b"kresnet: ended at once by SIGINT\r\n")
    assert said.endswith(b"\x1b[?25h")
    os.close(its_other_end)
    os.close(terminal)


def test_a_broken_record_is_said(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    for text in ("{", "[]", "{}"):
        (folder / "run.json").write_text(text)
        code, _, err = train(folder)
        assert code == 65
        assert "run.json" in err


def test_run_json_says_what_came_out(whole):
    found = info(whole)

    assert found["status"] == "finished"
    assert found["iteration"] == ITERATIONS
    assert found["identity"]["seed"] == 0
    assert 0 < found["test_error"] < 20
    best = found["best_validation"]
    assert best["iteration"] in range(30, ITERATIONS + 1, 30)
    assert found["images_per_second"] > 0
    assert found["cpu_seconds_per_1000_images"] > 0
    assert {"tensorflow", "keras", "python"} <= found["versions"].keys()
    assert found["hardware"]["cores"] >= 1


def test_metrics_have_a_row_per_evaluation_and_the_rate_of_its_updates(whole):
    rows = np.genfromtxt(whole / "metrics.csv", delimiter=",", names=True)

    np.testing.assert_array_equal(rows["iteration"], [30, 60, 90, 120])
    np.testing.assert_allclose(rows["learning_rate"], [0.1, 0.1, 0.01, 0.001])
    assert (np.diff(rows["training_loss"]) < 0).all()


def test_the_losses_of_every_iteration_are_kept(whole):
    """Their means since the row before are the rows of metrics.csv."""
    rows = np.genfromtxt(whole / "metrics.csv", delimiter=",", names=True)
    losses = np.genfromtxt(whole / "losses.csv", delimiter=",", names=True)

    np.testing.assert_array_equal(
        losses["iteration"], np.arange(1, ITERATIONS + 1)
    )
    for column, training in (
        ("loss", "training_loss"),
        ("error", "training_error"),
    ):
        means = losses[column].reshape(-1, 30).mean(1)
        np.testing.assert_allclose(means, rows[training], rtol=1e-6)


def test_a_finished_run_is_left_alone(whole):
    before = (whole / "run.json").read_bytes()

    code, _, err = train(whole)

    assert code == 0
    assert "already finished" in err
    assert (whole / "run.json").read_bytes() == before


def test_another_experiment_in_the_folder_is_refused_with_what_differs(whole):
    code, _, err = train(whole, "--set=training.batch_size=64", "--seed=1")

    assert code == 2
    assert "training.batch_size: 128 -> 64" in err
    assert "seed: 0 -> 1" in err


def test_a_run_with_overrides_must_name_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = kresnet("train", *SHORT)

    assert code == 2
    assert "--out" in err
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_on_the_folder_is_refused(tmp_path):
    with RunFolder(tmp_path / "run"):
        code, _, err = train(tmp_path / "run")

    assert code == 73
    assert f"process {os.getpid()} on " in err


def test_who_may_wait_gets_the_lock_of_a_folder_that_is_removed(tmp_path):
    """The holder leaves an empty folder, which goes with its lock."""
    path = tmp_path / "run"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with RunFolder(path):
            waiting = pool.submit(RunFolder(path, wait=60).__enter__)
            time.sleep(0.5)
            assert not waiting.done()
        with contextlib.ExitStack() as stack:
            stack.push(waiting.result().__exit__)
            with pytest.raises(CannotWriteError, match="is running this"):
                RunFolder(path).__enter__()


def test_a_run_whose_folder_was_begun_anew_writes_nothing_more(whole, tmp_path):
    """The first one still lives, but it may not mix its rows with another's."""
    folder = tmp_path / "run"
    endless = "--set=training.iterations=1000000"
    first = start("train", "digits", endless, *SHORT[2:], f"--out={folder}")
    while not (folder / "metrics.csv").exists():
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)
    shutil.rmtree(folder)
    shutil.copytree(whole, folder)
    with RunFolder(folder):  # a second run has begun there
        before = content(folder)

        first.send_signal(signal.SIGCONT)
        _, err = first.communicate()

        assert first.returncode == 73, err
        assert "was removed or moved while this run was in it" in err
        assert content(folder) == before


def test_nothing_is_written_to_a_folder_whose_lock_is_lost(tmp_path):
    path = tmp_path / "run"
    with RunFolder(path) as folder:
        folder.write_spec("mine")
        log = CsvLog(folder.metrics, ["a"], folder.check_lock)
        checkpoints = Checkpoints(folder.checkpoints, print, folder.check_lock)
        shutil.rmtree(path)
        with RunFolder(path) as second:
            second.write_spec("another's")
            for write in (
                lambda: folder.write_spec("mine"),
                folder.remove_diagnosis,
                lambda: log.append([{"a": 1}]),
                lambda: log.set_state(None),
                lambda: checkpoints.save(None),
            ):
                with pytest.raises(CannotWriteError, match="was removed"):
                    write()
    assert (path / "spec.yaml").read_text() == "another's"
    assert sorted(p.name for p in path.iterdir()) == [".lock", "spec.yaml"]


def test_waiting_ends_when_the_time_is_over(tmp_path):
    with RunFolder(tmp_path / "run"):
        code, _, err = train(tmp_path / "run", "--wait-for-lock=1")

    assert code == 73
    assert "wait for it" in err


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(
    tmp_path,
):
    folder = tmp_path / "run"
    code, _, err = train(
        folder,
        "--set=training.learning_rate={start: 100, divide_by: 10, at: []}",
        "--set=training.weight_decay=1",
        "--checkpoint-every=1",
    )

    assert code == 70
    assert "learning rate 100" in err
    assert info(folder)["status"] == "diverged"
    failed_at = json.loads((folder / "diverged.json").read_text())["iteration"]
    last = (folder / "losses.csv").read_text().splitlines()[-1]
    assert int(last.split(",")[0]) == failed_at
    kept = sorted((folder / "checkpoints").iterdir())[-1]
    assert 0 < int(kept.name) < failed_at
    for array in load_file(kept / "weights.safetensors").values():
        assert np.isfinite(array).all()


def test_a_start_that_fails_leaves_no_folder(tmp_path):
    code, _, err = train(
        tmp_path / "run", f"--data-dir={tmp_path}", spec=["resnet20"]
    )

    assert code == 66
    assert str(tmp_path) in err
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_without_its_weights_is_still_shown(whole, tmp_path):
    folder = shutil.copytree(
        whole,
        tmp_path / "run",
        ignore=shutil.ignore_patterns("checkpoints", ".lock"),
    )

    code, out, err = train(folder)

    assert code == 0
    assert "already finished" in err
    assert "75,002" in out


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    code, _, err = train(tmp_path / "file")

    assert code == 73
    assert "cannot be written" in err
