"""Logits to probabilities, in NumPy."""

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of the classes, float64.

    Args:
        logits: float `(count, classes)`.

    Returns:
        float64 `(count, classes)`; every row sums to 1.
    """
    logits = np.asarray(logits, "float64")
    # The largest exponent is 0, so nothing overflows.
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
