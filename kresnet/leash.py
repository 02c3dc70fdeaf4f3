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

# Seconds to finish a step and save.
GRACE = 60


def main() -> None:
    """Runs the command `kresnet` with the arguments of the process."""
    threading.Thread(target=_watch, daemon=True).start()
    runpy.run_module("kresnet", run_name="__main__")


def _watch():
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
