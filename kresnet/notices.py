"""Words for the user that never stop what was asked for."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kresnet.errors import KresnetError
from kresnet.printable import printable

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
    file = sys.stderr and _Forgiving(sys.stderr)
    return _console(
        file,
        force_terminal=None if file and file.isatty() else False,
        force_jupyter=False,
    )


def standard_output() -> "Console":
    """A console on standard output."""
    return _console(sys.stdout)


def _console(file: Any, **settings: Any) -> "Console":
    """Text is text: a path `runs[1]` or `:bug:` is no markup of rich's."""
    from rich.console import Console

    return Console(
        file=file, quiet=file is None, markup=False, emoji=False, **settings
    )


def notify(*lines: object) -> None:
    """Prints lines to standard error, which may be closed, full or gone.

    What does not print is shown as an escape. An error may have several lines.
    """
    if sys.stderr is not None:
        text = "\n".join(map(_shown, lines))
        print(text, file=_Forgiving(sys.stderr), flush=True)


def notifier(console: "Console") -> Callable[[object], None]:
    """As `notify`, a line at a time, to a console of whatever settings."""
    return lambda line: console.print(
        _shown(line), highlight=False, markup=False, emoji=False, soft_wrap=True
    )


def say(*lines: object) -> None:
    """Prints lines to standard output, escaped as those of `notify`."""
    print("\n".join(map(printable, lines)))


def _shown(line: object) -> str:
    return str(line) if isinstance(line, KresnetError) else printable(line)
