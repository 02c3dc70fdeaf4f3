"""A signal as an exception: what was begun is cleared away before the end."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from kresnet.child_process import handling

# The same signal again is a repeat of it, as SLURM sends them.
REPEAT_SECONDS = 2


class TerminatedError(BaseException):
    """A signal asked the process to end; no error, and not to be caught.

    Attributes:
        number: Of the signal.
    """

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def raising_on_signals() -> Iterator[None]:
    """Raises `TerminatedError` on the first signal that is not handled inside.

    A child that is waited for is killed then, and temporary folders go. A
    second signal, after two seconds, ends the process at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first: list[float] = []

    def end(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        first.append(time.monotonic())
        if len(first) == 1:
            raise TerminatedError(number)
        if first[-1] - first[0] > REPEAT_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    with handling(end):
        yield
