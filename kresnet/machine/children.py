"""Child processes, which end with their parent."""

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kresnet.errors import DeviceMissingError, StoppedError
from kresnet.machine.signals import (
    ENDING,
    HEARD,
    SIGNALS,
    Listener,
    exit_code,
    say_ended,
)
from kresnet.notices import notify


def start_child(
    arguments: Sequence[str],
    more_environment: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.Popen:
    """Starts `kresnet` with arguments in a session of its own, on a leash.

    However this process ends, its end of the child's standard input is closed
    then, and the child saves and stops. The environment is this process's with
    more variables; further options are those of `subprocess.Popen`.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "kresnet.machine.children", *arguments],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **(more_environment or {})},
        **options,
    )


def run_child(
    arguments: Sequence[str],
    more_environment: Mapping[str, str] | None = None,
    **options: Any,
) -> int:
    """Runs `kresnet` to its end, started as by `start_child`.

    The child has a session of its own and gets the signals that come here, so
    that what a terminal sends reaches it once. Returns its exit code, or minus
    the number of the signal that killed it.
    """
    with (
        start_child(arguments, more_environment, **options) as process,
        Listener(process.send_signal),
    ):
        return process.wait()


def as_shell(code: int) -> int:
    """Returns an exit code as a shell names it: 128 + a signal's number."""
    return code if code >= 0 else exit_code(-code)


LOST = (
    "another process of this training is gone; start all of them again, and it"
    " goes on from its last checkpoint"
)
MEMBER = "KRESNET_MEMBER"
JOINED = "KRESNET_JOINED"  # the file descriptor of a pipe's end


def is_member() -> bool:
    """Says whether this process was started by `supervise`."""
    return MEMBER in os.environ


def tell_parent() -> None:
    """Tells `supervise` that this member has met the others."""
    if JOINED in os.environ:
        os.write(int(os.environ[JOINED]), b"!")


def supervise(coordinator: str) -> int:
    """Runs this process's own command again, as a member of a team.

    Returns the member's exit code. If JAX ended it because another process was
    lost, it is 75, and 69 before they had met at the coordinator.
    """
    read, write = os.pipe()
    environment = {MEMBER: "1", JOINED: str(write)}
    code = run_child(sys.argv[1:], environment, pass_fds=[write])
    os.close(write)
    joined = os.read(read, 1)
    os.close(read)
    if code == -signal.SIGABRT and joined:
        notify(LOST)
        return StoppedError.exit_code
    if code == -signal.SIGABRT:
        notify(
            f"--coordinator: {coordinator}: the processes have not met there:"
            " one did not come, is gone, or cannot reach the others"
        )
        return DeviceMissingError.exit_code
    if -code in SIGNALS:  # before it could say so itself
        say_ended(-code)
    return as_shell(code)


def end(code: int) -> None:
    """Ends a member at once: JAX would wait for processes that are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


# A child has so many seconds to finish a step and save.
GRACE = 60


def main() -> None:
    """Runs the command `kresnet` with the arguments of the process."""
    ENDING.listen()
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
