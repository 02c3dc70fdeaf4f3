"""A training run that is killed again and again."""

import os
import signal
import subprocess
import sys
import time

LAST = 400
SPEC = (
    "digits",
    f"--set=training.iterations={LAST}",
    "--set=training.learning_rate.at=[200,300]",
    "--set=training.evaluate_every=40",
    "--checkpoint-every=2",
)


def train(folder):
    """Starts the run or goes on with it."""
    return subprocess.Popen(
        [sys.executable, "-m", "kresnet", "train", *SPEC, f"--out={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def content(folder):
    """What must not depend on interruptions."""
    last = folder / "checkpoints" / f"{LAST:08d}"
    files = (
        last / "weights.safetensors",
        last / "optimizer.safetensors",
        folder / "metrics.csv",
        folder / "losses.csv",
    )
    return [path.read_bytes() for path in files]


def killed_often(folder, kills, generator):
    """Kills a run at random moments of its training, lets it end, compares.

    Returns:
        How often it was killed while it trained.
    """
    folder.mkdir(parents=True)
    _finish(folder / "whole")
    done = 0
    for _ in range(kills):
        process = train(folder / "killed")
        killed = _kill_in_training(process, folder / "killed", generator)
        _, said = process.communicate()
        if not killed and process.returncode != 0:
            raise AssertionError(said)
        done += killed
    _finish(folder / "killed")
    if content(folder / "killed") != content(folder / "whole"):
        raise AssertionError("the killed run ended otherwise")
    return done


def _kill_in_training(process, folder, generator):
    """Waits for a checkpoint of this process, then a moment, and kills."""
    checkpoints = folder / "checkpoints"
    before = _newest(checkpoints)
    while process.poll() is None and _newest(checkpoints) == before:
        time.sleep(0.001)
    # Some two saves: most kills are in the middle of one.
    time.sleep(generator.uniform(0, 0.05))
    if process.poll() is not None:
        return False
    os.kill(process.pid, signal.SIGKILL)
    return True


def _newest(checkpoints):
    names = (
        [p.name for p in checkpoints.glob("0*")] if checkpoints.is_dir() else []
    )
    return max(names, default=None)


def _finish(folder):
    process = train(folder)
    _, said = process.communicate()
    if process.returncode != 0:
        raise AssertionError(said)
