"""A command as a child process that gets the signals of this one."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)


def run_child(
    command: Sequence[str], more_environment: Mapping[str, str] | None = None
) -> int:
    """Runs a command to its end.

    The child has a session of its own, so that a signal reaches it once: the
    ones that come here are passed on.

    Returns:
        Its exit code; of a signal that killed it, minus its number.
    """
    process = subprocess.Popen(
        command,
        start_new_session=True,
        env={**os.environ, **(more_environment or {})},
    )
    before = {}
    for number in FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(
                number, lambda received, _: process.send_signal(received)
            )
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def as_shell(code: int) -> int:
    """An exit code as a shell names it: 128 + the number of a signal."""
    return code if code >= 0 else 128 - code
