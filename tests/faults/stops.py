"""A training run that is stopped by signals, and then by losing its folder.

A program, `python tests/faults/stops.py FOLDER`, that prints an exit code, the
newest checkpoint and a message a line.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from kresnet.errors import KresnetError
from kresnet.training import train

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)


def _saved(folder):
    return {path.name for path in folder.glob("checkpoints/0*")}


def _after_two_saves(folder, action):
    def wait():
        before = _saved(folder)
        while len(_saved(folder) - before) < 2:
            time.sleep(0.001)
        action()

    threading.Thread(target=wait, daemon=True).start()


def _train(folder, action):
    _after_two_saves(folder, action)
    try:
        train(
            "digits",
            folder,
            overrides=[
                "training.iterations=100000",
                "training.evaluate_every=1000",
            ],
            checkpoint_every=5,
            console=Console(quiet=True),
        )
    except KresnetError as error:
        newest = max(_saved(folder), default="-")
        print(error.exit_code, newest, error)


def _main(folder):
    folder = Path(folder)
    for number in SIGNALS:
        _train(folder, lambda number=number: os.kill(os.getpid(), number))
    _train(folder, lambda: folder.rename(folder.with_name("elsewhere")))


if __name__ == "__main__":
    _main(*sys.argv[1:])
