"""A training run that is killed again and again."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time

LAST = 400


@dataclasses.dataclass
class Kills:
    """What was done to a run.

    Attributes:
        kills: How often it was killed.
        in_a_save: How often a half-written checkpoint was left.
        runs: How many runs ended, each compared with one not interrupted.
    """

    kills: int = 0
    in_a_save: int = 0
    runs: int = 0


def train(folder, last=LAST):
    """Starts the run of so many iterations or goes on with it."""
    spec = (
        "digits",
        f"--set=training.iterations={last}",
        f"--set=training.learning_rate.at=[{last // 2},{last * 3 // 4}]",
        f"--set=training.evaluate_every={last // 10}",
        "--checkpoint-every=2",
    )
    return subprocess.Popen(
        [sys.executable, "-m", "kresnet", "train", *spec, f"--out={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def content(folder):
    """What must not depend on interruptions."""
    last = max(folder.glob("checkpoints/0*"))
    files = (
        last / "weights.safetensors",
        last / "optimizer.safetensors",
        folder / "metrics.csv",
        folder / "losses.csv",
    )
    return [path.read_bytes() for path in files]


def killed_often(folder, kills, generator, early=0.0, last=LAST):
    """Kills a run at random moments, lets it end, compares.

    Args:
        folder: Made here.
        kills: How many. When a run ends before, another one is begun.
        generator: Of the moments.
        early: Share of the kills at any moment since the process began; the
            others are shortly after it wrote a checkpoint.
        last: Iterations of a run.

    Returns:
        What was done, as `Kills`.
    """
    folder.mkdir(parents=True)
    start = time.perf_counter()
    finish(folder / "whole", last)
    took = time.perf_counter() - start
    done, killed = Kills(), folder / "killed"
    while done.kills < kills:
        process = train(killed, last)
        if generator.random() < early:
            time.sleep(generator.uniform(0, took))
        else:
            await_checkpoint(process, killed / "checkpoints", generator)
        if _kill(process):
            done.kills += 1
            done.in_a_save += any(killed.glob("checkpoints/.tmp-*"))
        else:
            compare(folder)
            done.runs += 1
    finish(killed, last)
    compare(folder)
    done.runs += 1
    return done


def await_checkpoint(process, checkpoints, generator):
    """Waits for a checkpoint of this process, then a moment."""
    before = _newest(checkpoints)
    while process.poll() is None and _newest(checkpoints) == before:
        time.sleep(0.001)
    # Some two saves: many kills are in the middle of one.
    time.sleep(generator.uniform(0, 0.05))


def _kill(process):
    """Kills a process; false if it had ended, as it should."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    _, said = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(said)
    return process.returncode != 0


def _newest(checkpoints):
    names = (
        [p.name for p in checkpoints.glob("0*")] if checkpoints.is_dir() else []
    )
    return max(names, default=None)


def finish(folder, last=LAST):
    """Trains a run to its end."""
    process = train(folder, last)
    _, said = process.communicate()
    if process.returncode != 0:
        raise AssertionError(said)


def compare(folder):
    """Compares the killed run, which ended, and removes it."""
    killed = folder / "killed"
    if content(killed) != content(folder / "whole"):
        raise AssertionError("the killed run ended otherwise")
    if any(killed.glob("checkpoints/*.corrupt*")):
        raise AssertionError("a kill was taken for damage")
    shutil.rmtree(killed)
