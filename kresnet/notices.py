"""Words for the user that never stop what was asked for."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported where it is needed: a spec is checked without it
    from rich.console import Console


class _Forgiving:
    """A stream that forgets what cannot be written to it.

    A terminal that closed, or a log file on a full disk, must not end a run
    that took days.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # ValueError: closed
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def isatty(self) -> bool:
        try:
            return self._stream.isatty()
        except (AttributeError, ValueError):  # a stand-in, or closed
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def standard_error() -> "Console":
    """A console on standard error, which may be closed, full or gone.

    What is no terminal gets plain lines: a notebook too, and a log file where
    FORCE_COLOR is set, both of which rich would dress up.
    """
    from rich.console import Console

    if sys.stderr is None:
        return Console(quiet=True)
    file = _Forgiving(sys.stderr)
    return Console(
        file=file,
        force_terminal=None if file.isatty() else False,
        force_jupyter=False,
    )


def notify(message: object) -> None:
    """Prints a line to standard error, which may be closed, full or gone."""
    if sys.stderr is not None:
        print(message, file=_Forgiving(sys.stderr), flush=True)
