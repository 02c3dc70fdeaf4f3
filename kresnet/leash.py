"""`kresnet` on a leash: it saves and stops once its standard input closes.

Run as `python -m kresnet.leash ARGUMENTS` with a pipe as standard input.
However the process at the other end goes, the system closes the pipe, and no
run is left behind that would hold its folder against its successor.
"""

import os
import runpy
import signal
import threading
import time

from kresnet.ending import end_on_signals
from kresnet.signals import HEARD

# Seconds to finish a step and save.
GRACE = 60


def main() -> None:
    """Runs the command `kresnet` with the arguments of the process."""
    end_on_signals()
    threading.Thread(target=_watch, daemon=True).start()
    runpy.run_module("kresnet", run_name="__main__")


def _watch():
    while os.read(0, 4096):
        pass
    if not HEARD:  # else it is stopping already, and would end at once
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
