"""Memory that ran out is told from other failures and reported."""

import contextlib
from collections.abc import Iterator

from kresnet.errors import OutOfMemoryError


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

    Args:
        where: What is being done inside; it begins the message.
        batch_size: The batch size of the training.
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
