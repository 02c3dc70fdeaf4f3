"""The numbers that layers compute with, whatever Keras is set to."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

PRECISIONS = ("float32", "bfloat16")


def full_precision() -> str:
    """Of weights and logits: float64 if Keras' floatx is that, else float32."""
    return "float64" if keras.config.floatx() == "float64" else "float32"


@contextmanager
def layer_precision(precision: str = "float32") -> Iterator[None]:
    """Sets the dtype policy of the layers made inside.

    "float32" stands for `full_precision`. The caller's own policy, such as
    mixed_float16, comes back afterwards. A precision that is not one of
    `PRECISIONS` is a ValueError.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {', '.join(PRECISIONS)}. "
            f"Received: precision={precision}"
        )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(
        "mixed_bfloat16" if precision == "bfloat16" else full_precision()
    )
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
