"""`kresnet` as a child process that gets our signals and ends when we do."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kresnet.signals import Listener, exit_code


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
    arguments: Sequence[str],
    more_environment: Mapping[str, str] | None = None,
    **options: Any,
) -> int:
    """Runs `kresnet` to its end.

    The child has a session of its own, so that what a terminal sends reaches
    it once: the signals that come here are passed on. The arguments are those
    of `start_child`.

    Returns:
        Its exit code; of a signal that killed it, minus its number.
    """
    with (
        start_child(arguments, more_environment, **options) as process,
        Listener(process.send_signal),
    ):
        return process.wait()


def as_shell(code: int) -> int:
    """An exit code as a shell names it: 128 + the number of a signal."""
    return code if code >= 0 else exit_code(-code)
