"""Telling that memory ran out from other failures of a backend."""


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
