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

    Half of the data of a write that fails is written. A killed process does
    nothing more: once killed, every further operation is refused, so that
    clean-up code changes nothing either.

    Args:
        fail_at: Number of the operation, from 0; `None` never fails.
        error: An `errno` number; `None` kills.

    Attributes:
        count: Operations so far.
        failed: Name and path of the one that failed.
    """

    def __init__(self, fail_at=None, error=None):
        self.fail_at = fail_at
        self.error = error
        self.count = 0
        self.dead = False
        self.failed = None

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
        def operation(path, *arguments, **keywords):
            mode = keywords.get("mode", (*arguments, "r")[0])
            if name != "open":
                self.operate(name, path)
            elif set("wax+") & set(str(mode)):
                self.operate(name, path)
                return opened(_Failing, self, path, *arguments, **keywords)
            return real(path, *arguments, **keywords)

        return operation

    def operate(self, name, path, half=lambda: None):
        """Counts an operation, and fails if it is its turn.

        Args:
            name: Of the operation.
            path: What it is done to.
            half: Does half of it.
        """
        number, self.count = self.count, self.count + 1
        if self.dead:
            raise Killed
        if number == self.fail_at:
            self.failed = name, path
            half()
            if self.error is None:
                self.dead = True
                raise Killed
            raise OSError(self.error, os.strerror(self.error))


def opened(
    raw_file,
    disk,
    path,
    mode="r",
    buffering=-1,
    encoding=None,
    errors=None,
    newline=None,
):
    """What `open` returns, over a raw file of a disk.

    Args:
        raw_file: A class, `(disk, path, mode)`.
        disk: Its disk.
        path: And the others: as of `open`.
        mode: As of `open`.
        buffering: As of `open`.
        encoding: As of `open`.
        errors: As of `open`.
        newline: As of `open`.
    """
    raw = raw_file(disk, path, mode.replace("b", ""))
    if buffering == 0:
        return raw
    if not raw.writable():
        file = io.BufferedReader(raw)
    else:
        file = io.BufferedWriter(raw)
    if "b" in mode:
        return file
    return io.TextIOWrapper(file, encoding, errors, newline)


class _Failing(io.FileIO):
    """A file whose writes are operations of a disk."""

    def __init__(self, disk, path, mode):
        super().__init__(path, mode)
        self.disk = disk

    def write(self, data):
        write, half = super().write, memoryview(data)[: len(data) // 2]
        self.disk.operate("write", self.name, lambda: write(half))
        return write(data)


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

    def _open(self, path, *arguments, **keywords):
        return opened(_Counted, self, path, *arguments, **keywords)


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
