"""Memory that ran out: telling it from other failures, and saying it."""

import contextlib
from collections.abc import Iterator

from kresnet.errors import OutOfMemoryError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a backend, or Python, failed for want of memory.

    TensorFlow raises `ResourceExhaustedError`; JAX raises a runtime error that
    begins with the same words; neither can be named here without importing
    the backend.
    """
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "ResourceExhaustedError"
        or str(error).lstrip().startswith("RESOURCE_EXHAUSTED")
    )


@contextlib.contextmanager
def out_of_memory_said(where: object, batch_size: int) -> Iterator[None]:
    """Says of memory that runs out inside what may help.

    Args:
        where: What is being done there; begins the message.
        batch_size: Of the training.

    Raises:
        OutOfMemoryError: It ran out.
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
