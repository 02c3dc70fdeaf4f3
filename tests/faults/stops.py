"""A training run that is stopped by signals, and then by losing its folder.

After the first stop TensorBoard's events cannot be written any more, and in the
last training standard error cannot either.

A program, `python tests/faults/stops.py FOLDER`, that prints a line per
training: an exit code, the newest checkpoint, how often it was said that there
are no events, and the message.
"""

import contextlib
import io
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from kresnet.errors import KresnetError
from kresnet.notices import standard_error
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


def _train(folder, action, console=None):
    _after_two_saves(folder, action)
    said = io.StringIO()
    try:
        train(
            "digits",
            folder,
            overrides=[
                "training.iterations=100000",
                "training.evaluate_every=1",
            ],
            checkpoint_every=5,
            console=console or Console(file=said, width=1_000),
        )
    except KresnetError as error:
        newest = max(_saved(folder), default="-")
        times = said.getvalue().count("no TensorBoard events")
        print(error.exit_code, newest, times, error)


def _main(folder):
    folder = Path(folder)
    for number in SIGNALS:  # `nohup` has SIGHUP ignored
        signal.signal(number, signal.SIG_DFL)
    for number in SIGNALS:
        _train(folder, lambda number=number: os.kill(os.getpid(), number))
        shutil.rmtree(folder / "events", ignore_errors=True)
        (folder / "events").write_text("in the way")
    with contextlib.suppress(OSError), open("/dev/full", "w") as sys.stderr:
        console = standard_error()
        _train(folder, lambda: folder.rename(f"{folder}-gone"), console)


if __name__ == "__main__":
    _main(*sys.argv[1:])
