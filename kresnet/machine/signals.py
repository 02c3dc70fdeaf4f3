"""Signals: a thread hears them, and they end a command.

A command that a signal ends says so in one line, and abandons what it does. A
training takes the signals for itself, to save, and gives them back.
"""

import atexit
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn, Protocol

Handler = Callable[[int, FrameType | None], object]

# These ask a process to stop.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
REPEAT_SECONDS = 2
SHOW_CURSOR = b"\x1b[?25h"


class Heard:
    """Remembers the last signal, to tell a new one from its repeats."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._last: tuple[int, float] | None = None

    def __bool__(self) -> bool:
        """Says whether there was any."""
        return self._last is not None

    def is_repeat(self, number: int) -> bool:
        """Says whether a signal that comes now is the last one again."""
        if self._last is None or number == signal.SIGINT:
            return False
        last, seconds = self._last
        return number == last and self.clock() - seconds < REPEAT_SECONDS

    def note(self, number: int) -> bool:
        """Remembers a signal unless it is a repeat; says whether it is new."""
        if self.is_repeat(number):
            return False
        self._last = number, self.clock()
        return True


# What stopped a training may come again when the training is over.
HEARD = Heard()


@contextlib.contextmanager
def handling(handler: Handler) -> Iterator[None]:
    """Handles the signals inside; for the main thread.

    A signal that the process was started to ignore, as by `nohup`, stays
    ignored. Repeats of a signal that was heard inside are ignored afterwards.
    """
    before = {}
    try:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, _after_repeats(number, earlier))


def _after_repeats(number, earlier):
    """Returns what handles a signal as earlier, but ignores its repeats."""
    if not HEARD.is_repeat(number):
        return earlier

    def handle(number, _):
        if not HEARD.is_repeat(number):
            signal.signal(number, earlier)
            signal.raise_signal(number)

    return handle


class Listener:
    """Hands every new signal to a function, at once, in a thread.

    A context manager for the main thread; elsewhere it does nothing. Python
    runs its handlers between two instructions of the main thread. That may take
    seconds inside the backend, and two signals meanwhile would count as one.
    So a thread reads them from the pipe that the interpreter's C handler writes
    to. `hear` is called with the number of a signal that is no repeat,
    `handler` in the main thread, as by `signal.signal`.
    """

    def __init__(
        self, hear: Callable[[int], None], handler: Handler = lambda *_: None
    ):
        self.hear = hear
        self.handler = handler  # without one the default would act
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Listener":
        if threading.current_thread() is not threading.main_thread():
            return self
        read, write = os.pipe()
        os.set_blocking(write, False)
        thread = threading.Thread(target=self._listen, args=[read], daemon=True)
        thread.start()
        # The stack undoes these from the last to the first.
        self._stack.callback(os.close, read)
        self._stack.callback(thread.join)
        self._stack.callback(os.close, write)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self._stack.callback(signal.set_wakeup_fd, before)
        self._stack.enter_context(handling(self.handler))
        return self

    def __exit__(self, *error) -> None:
        self._stack.close()

    def _listen(self, pipe):
        while received := os.read(pipe, 1):
            number = received[0]
            if number in SIGNALS and HEARD.note(number):
                self.hear(number)


class Holder(Protocol):
    """An object that remembers the signal and acts on it."""

    signal: signal.Signals | None


class Signals(Listener):
    """Sets `holder.signal` to the first signal; another ends the process."""

    def __init__(self, holder: Holder):
        super().__init__(self._hear)
        self.holder = holder
        self._received = False

    def _hear(self, number):
        if self._received:
            _end_at_once(number)
        self._received = True
        self.holder.signal = signal.Signals(number)


def _end_at_once(number: int, stderr: int = 2) -> NoReturn:
    """Says that a signal ended this process, and ends it."""
    say_ended(number, "ended at once", stderr)
    os._exit(exit_code(number))


def say_ended(number: int, how: str = "ended", stderr: int = 2) -> None:
    """Says on a file descriptor which signal ended this process."""
    line = f"kresnet: {how} by {signal.Signals(number).name}\n".encode()
    with contextlib.suppress(OSError):
        # The progress bar may have hidden it.
        shown = SHOW_CURSOR if os.isatty(stderr) else b""
        os.write(stderr, line + shown)


def exit_code(number: int) -> int:
    """Returns the exit code of a signal, as a shell names it."""
    return 128 + number


# The process ends after so long, whatever it does: native code may keep the
# main thread from clearing up, or take the exception for an error of its own.
SECONDS = 5


class EndedError(BaseException):
    """A signal ended the command; no error, so that nothing deals with it."""


class Ending:
    """Ends this process on a signal while nothing else handles signals.

    Nothing of it does anything before `listen`.

    Attributes:
        number: The signal that ended the command; `None` if none did.
        begun: Whether the command has begun, and may have to clear up.
        code: The exit code, once the command is over.
        abandoned: Whether `EndedError` must not be raised any more.
    """

    def __init__(self):
        self.number: int | None = None
        self.begun = False
        self.code: int | None = None
        self.abandoned = False
        self._listens = False
        self._heard = False
        self._to_say = threading.Lock()
        self._stderr = -1

    def listen(self) -> None:
        """Lets signals end this process, a command, from now on."""
        if self._listens:
            return
        self._listens = True
        with contextlib.suppress(OSError):  # closed: nobody would read it
            self._stderr = os.dup(2)  # TensorFlow's import has another as 2
        Listener(self._hear, self._abandon).__enter__()
        atexit.register(_ignore)

    def conclude(self, code: int) -> int:
        """Returns the exit code, whatever signal comes from now on.

        If a signal ended the command, it is the signal's, though a library may
        have made another error and `code` of it.
        """
        self.abandoned = True
        if code and self.number is not None:
            self._say()
            code = exit_code(self.number)
        self.code = code
        return code

    def _say(self):
        """Says, but only once, which signal it was."""
        number = self.number
        if number is not None and self._to_say.acquire(blocking=False):
            say_ended(number, stderr=self._stderr)

    def _hear(self, number: int):
        """Is called in a thread."""
        if self.code is not None:
            os._exit(self.code)
        if self._heard:
            _end_at_once(number, self._stderr)
        self._heard = True
        self.number = number
        self._say()
        if not self.begun:
            os._exit(exit_code(number))
        late = threading.Timer(SECONDS, os._exit, [exit_code(number)])
        late.daemon = True
        late.start()

    def _abandon(self, number: int, _: FrameType | None):
        """Is called in the main thread."""
        if self.begun and not self.abandoned:
            self.abandoned = True
            self.number = number
            raise EndedError


def _ignore():
    """Ignores signals while the interpreter ends and restores the defaults."""
    for number in SIGNALS:
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_IGN)


ENDING = Ending()
