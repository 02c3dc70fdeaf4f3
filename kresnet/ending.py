"""How a signal ends a command: one line, and what it does is abandoned.

A training takes the signals for itself, to save, and gives them back.
"""

import atexit
import contextlib
import os
import signal
import threading
from types import FrameType

from kresnet.signals import (
    SIGNALS,
    Listener,
    end_now,
    exit_code,
    say_ended,
)

# To clear up, before the process ends all the same: native code may keep the
# main thread from it, or take the exception for an error of its own.
SECONDS = 5


class EndedError(BaseException):
    """A signal ended the command; no error, so that nothing deals with it."""


class _Ending:
    """What signals do to this process while nothing else handles them.

    Attributes:
        number: Of the signal that ended the command, `None` if none did.
        begun: Whether the command has, and there may be something to clear up.
        code: The exit code, once the command is over.
    """

    def __init__(self):
        self.number: int | None = None
        self.begun = False
        self.code: int | None = None
        self.abandoned = False
        self._heard = False
        self._to_say = threading.Lock()
        self._stderr = -1
        with contextlib.suppress(OSError):  # closed: nobody would read it
            self._stderr = os.dup(2)  # TensorFlow's import has another as 2
        Listener(self._hear, self._abandon).__enter__()
        atexit.register(_ignore)

    def say(self):
        """Says once which signal it was."""
        if self._to_say.acquire(blocking=False):
            say_ended(self.number, stderr=self._stderr)

    def _hear(self, number: int):
        """In a thread."""
        if self.code is not None:
            os._exit(self.code)
        if self._heard:
            end_now(number, "at once", self._stderr)
        self._heard = True
        self.number = number
        self.say()
        if not self.begun:
            os._exit(exit_code(number))
        late = threading.Timer(SECONDS, os._exit, [exit_code(number)])
        late.daemon = True
        late.start()

    def _abandon(self, number: int, _: FrameType | None):
        """In the main thread."""
        if self.begun and not self.abandoned:
            self.abandoned = True
            self.number = number
            raise EndedError


_ending: _Ending | None = None


def end_on_signals() -> None:
    """Has signals end this process, a command, from now on.

    Called again, it does nothing.
    """
    global _ending
    if _ending is None:
        _ending = _Ending()


def begin() -> None:
    """From now on a signal raises `EndedError`: there is a try around it."""
    if _ending:
        _ending.begun = True


def ended_by() -> int | None:
    """The number of the signal that ended the command, if one did."""
    return _ending and _ending.number


def conclude(code: int) -> int:
    """Gives the exit code, whatever signal comes from now on.

    Args:
        code: The command's own. A library may have made another end of that
            by a signal.
    """
    if _ending is None:
        return code
    _ending.abandoned = True
    if code and _ending.number is not None:
        _ending.say()
        code = exit_code(_ending.number)
    _ending.code = code
    return code


def _ignore():
    """The interpreter's own end is short, and restores the defaults."""
    for number in SIGNALS:
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_IGN)
