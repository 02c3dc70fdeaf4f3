"""Stopping on a signal: softly on the first, at once on the second."""

import contextlib
import os
import signal
import threading
from typing import Protocol

from kresnet.child_process import SIGNALS, handling

SHOW_CURSOR = b"\x1b[?25h"


class Holder(Protocol):
    """What remembers the signal and acts on it."""

    signal: signal.Signals | None


class Signals:
    """Notes the first signal; the second ends the process.

    A context manager for the main thread; elsewhere it does nothing. Python
    runs its handlers between two instructions of the main thread, which may
    be seconds inside the backend, and two signals meanwhile would count as
    one. A thread therefore reads them from the pipe that the interpreter's C
    handler writes to.

    Args:
        holder: Its `signal` is set.
    """

    def __init__(self, holder: Holder):
        self.holder = holder
        self._received = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Signals":
        if threading.current_thread() is not threading.main_thread():
            return self
        read, write = os.pipe()
        os.set_blocking(write, False)
        thread = threading.Thread(target=self._watch, args=[read], daemon=True)
        thread.start()
        # Undone from the last to the first.
        self._stack.callback(os.close, read)
        self._stack.callback(thread.join)
        self._stack.callback(os.close, write)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self._stack.callback(signal.set_wakeup_fd, before)
        # A handler must be there, or the default would act.
        self._stack.enter_context(handling(lambda *_: None))
        return self

    def __exit__(self, *error) -> None:
        self._stack.close()

    def _watch(self, pipe):
        while received := os.read(pipe, 1):
            number = received[0]
            if number not in SIGNALS:
                continue
            if self._received:
                _show_cursor()
                os._exit(128 + number)  # as a shell names it
            self._received = True
            self.holder.signal = signal.Signals(number)


def _show_cursor():
    """Undoes what the progress bar did to the terminal."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)
