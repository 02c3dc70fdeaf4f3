"""Stopping on a signal: softly on the first, at once on the second."""

import contextlib
import os
import signal
import threading
from typing import Protocol

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
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
    handler writes to. A signal that the process was started to ignore, as
    `nohup` does, stays ignored.

    Args:
        holder: Its `signal` is set.
    """

    def __init__(self, holder: Holder):
        self.holder = holder
        self._received = False
        self._before = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is not threading.main_thread():
            return self
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._wakeup_before = signal.set_wakeup_fd(
            self._write, warn_on_full_buffer=False
        )
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                # A handler must be there, or the default would act.
                self._before[number] = signal.signal(number, lambda *_: None)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        if not self._before:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._write)
        self._thread.join()
        os.close(self._read)

    def _watch(self):
        while received := os.read(self._read, 1):
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
