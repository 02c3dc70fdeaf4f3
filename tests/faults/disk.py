"""A disk that fails, or a process that is killed, at one of its operations."""

import contextlib
import errno
import io
import os

# What writing a checkpoint asks of the system; `shutil`, `tempfile` and
# `pathlib` go through these too.
OPERATIONS = (
    (os, "chmod"),
    (os, "fsync"),
    (os, "mkdir"),
    (os, "rename"),
    (os, "rmdir"),
    (os, "unlink"),
    (io, "open"),
)


class Killed(BaseException):
    """The process was killed; what follows is only the stack unwinding."""


class Disk:
    """Counts operations that change something and fails at one of them.

    A killed process does nothing more: once killed, every further operation
    is refused, so that clean-up code changes nothing either.

    Args:
        fail_at: Number of the operation, from 0; `None` never fails.
        error: An `errno` number; `None` kills.
    """

    def __init__(self, fail_at=None, error=None):
        self.fail_at = fail_at
        self.error = error
        self.count = 0
        self.dead = False

    @contextlib.contextmanager
    def attached(self):
        """Puts the disk in the place of the system's."""
        before = [
            (module, name, getattr(module, name)) for module, name in OPERATIONS
        ]
        for module, name, real in before:
            setattr(module, name, self._wrapped(real, name))
        try:
            yield self
        finally:
            for module, name, real in before:
                setattr(module, name, real)

    def _wrapped(self, real, name):
        def operation(*arguments, **keywords):
            mode = keywords.get("mode", (*arguments, "r", "r")[1])
            if name == "open" and not set("wax+") & set(str(mode)):
                return real(*arguments, **keywords)
            number, self.count = self.count, self.count + 1
            if self.dead:
                raise Killed
            if number == self.fail_at:
                if self.error is None:
                    self.dead = True
                    raise Killed
                raise OSError(self.error, os.strerror(self.error))
            return real(*arguments, **keywords)

        return operation


class SmallDisk:
    """Takes so many bytes and then is full, in the middle of a write.

    Args:
        size: In bytes.
    """

    def __init__(self, size):
        self.size = size
        self.written = 0

    @contextlib.contextmanager
    def attached(self):
        """Puts the disk in the place of the system's."""
        real = io.open
        io.open = self._open
        try:
            yield self
        finally:
            io.open = real

    def _open(
        self,
        path,
        mode="r",
        buffering=-1,
        encoding=None,
        errors=None,
        newline=None,
    ):
        raw = _Counted(self, path, mode.replace("b", ""))
        if buffering == 0:
            return raw
        if not raw.writable():
            file = io.BufferedReader(raw)
        else:
            file = io.BufferedWriter(raw)
        if "b" in mode:
            return file
        return io.TextIOWrapper(file, encoding, errors, newline)


class _Counted(io.FileIO):
    """A file on a small disk."""

    def __init__(self, disk, path, mode):
        super().__init__(path, mode)
        self.disk = disk

    def write(self, data):
        left = self.disk.size - self.disk.written
        if len(data) and left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # As a real one: what still fits is written, and the rest is not.
        count = super().write(memoryview(data)[:left])
        self.disk.written += count
        return count
