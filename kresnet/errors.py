"""What can go wrong, and the exit code that says so.

Every error that a user or a machine can cause is a `KresnetError`: the command
prints its message, one line and no traceback, and exits with its code.
"""

import contextlib
import errno
from collections.abc import Iterator

from kresnet.printable import printable

# The system refused: it will refuse again, however much space there is.
_REFUSED = frozenset(
    {
        errno.EACCES,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENOTEMPTY,
        errno.ENXIO,  # a pipe that nobody reads
        errno.EPERM,
        errno.EROFS,
    }
)


class KresnetError(Exception):
    """An error with a message for the user and an exit code.

    Exit code 1 is a bug in kresnet and has no class here.

    Args:
        *lines: The lines of the message. A path or a name in them may hold
            anything: what does not print, such as a line break, is shown as an
            escape.
    """

    exit_code = 1

    def __str__(self) -> str:
        return "\n".join(map(printable, self.args))


class SpecError(KresnetError):
    """The spec or the command line is wrong."""

    exit_code = 2


class BadDataError(KresnetError):
    """Data, a checkpoint or an image is not what it should be."""

    exit_code = 65


class InputMissingError(KresnetError):
    """A file, a data set or a checkpoint is not there."""

    exit_code = 66


class DeviceMissingError(KresnetError):
    """A device was asked for that the machine does not have."""

    exit_code = 69


class OutOfMemoryError(KresnetError):
    """The memory of the device, or of the machine, ran out."""

    exit_code = 69


def is_out_of_memory(error: BaseException) -> bool:
    """Says whether a backend, or Python, had no memory left.

    TensorFlow raises `ResourceExhaustedError`, and JAX a runtime error that
    begins with the same words; naming either class would import the backend.
    """
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "ResourceExhaustedError"
        or str(error).lstrip().startswith("RESOURCE_EXHAUSTED")
    )


@contextlib.contextmanager
def explain_out_of_memory(where: object, batch_size: int) -> Iterator[None]:
    """Raises an OutOfMemoryError that says what may help.

    The message begins with what is being done inside.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"{where}: out of memory with batches of {batch_size}; a smaller"
            " training.batch_size, or a device with more memory, is needed"
        ) from error


class DivergedError(KresnetError):
    """The loss is not finite, or a warm-up never ended."""

    exit_code = 70


class CannotWriteError(KresnetError):
    """The run folder cannot be written, or another process holds it."""

    exit_code = 73


class DiskFullError(KresnetError):
    """Writing failed: the disk is full or broken."""

    exit_code = 74


def read_error(path: object, error: OSError) -> InputMissingError:
    """What it means that a path is there and cannot be read."""
    return InputMissingError(f"{path}: cannot be read: {error.strerror}")


def write_error(path: object, error: OSError, more: str = "") -> KresnetError:
    """What a failed write of a path means: refused (73), or failed (74).

    The message may end with one more sentence.
    """
    kind = CannotWriteError if error.errno in _REFUSED else DiskFullError
    reason = error.strerror or error
    return kind(f"{path}: cannot be written: {reason}{more and '. ' + more}")


class StoppedError(KresnetError):
    """The run was asked to stop, saved a checkpoint and did."""

    exit_code = 75
