"""`kresnet` as a child process that gets our signals and ends when we do."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

# Those that ask a process to stop.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)


@contextlib.contextmanager
def handling(
    handler: Callable[[int, FrameType | None], object],
) -> Iterator[None]:
    """Has the signals handled, and afterwards as they were before.

    One that the process was started to ignore, as `nohup` does, stays ignored.

    Args:
        handler: As of `signal.signal`; in the main thread.
    """
    before = {}
    try:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def start_child(
    arguments: Sequence[str],
    more_environment: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.Popen:
    """Starts `kresnet` in a session of its own, on a leash.

    However this process goes, its end of the child's standard input is
    closed; the child then saves and stops, see `kresnet.leash`.

    Args:
        arguments: Of the command line.
        more_environment: What to add to that of this process.
        **options: Of `subprocess.Popen`.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "kresnet.leash", *arguments],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **(more_environment or {})},
        **options,
    )


def run_child(
    arguments: Sequence[str], more_environment: Mapping[str, str] | None = None
) -> int:
    """Runs `kresnet` to its end.

    The child has a session of its own, so that a signal reaches it once: the
    ones that come here are passed on.

    Returns:
        Its exit code; of a signal that killed it, minus its number.
    """
    with (
        start_child(arguments, more_environment) as process,
        handling(lambda received, _: process.send_signal(received)),
    ):
        return process.wait()


def as_shell(code: int) -> int:
    """An exit code as a shell names it: 128 + the number of a signal."""
    return code if code >= 0 else 128 - code
