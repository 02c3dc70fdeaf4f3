"""Which training images are held out for validation."""

import numpy as np

# The split is part of the experiment, not of a run: a constant, not the seed.
# (First 16 hexadecimal digits of the fractional part of pi.)
_KEY = np.array([0x243F6A8885A308D3, 0], np.uint64)


def split_train_validation(
    count: int, validation: int
) -> tuple[np.ndarray, np.ndarray]:
    """Splits `count` images into a training and a validation part.

    The split depends on the two numbers only, never on a run's seed: runs
    with different seeds train on the same images and share adapted statistics.
    A smaller validation part is a subset of a larger one.

    Args:
        count: Number of images, at least 1.
        validation: How many of them are held out, from 0 to `count` - 1.

    Returns:
        Two sorted int64 arrays of positions, `(count - validation,)` of the
        training part and `(validation,)` of the validation part.

    Raises:
        ValueError: `validation` is out of range.
    """
    if not 0 <= validation < count:
        raise ValueError(
            "`validation` must be at least 0 and less than `count`. "
            f"Received: validation={validation}, count={count}"
        )
    # A bit generator's raw stream is the same in every version of NumPy; what
    # Generator.permutation makes of it is not promised to be.
    draws = np.random.Philox(key=_KEY).random_raw(count)
    order = np.argsort(draws, kind="stable")
    return np.sort(order[validation:]), np.sort(order[:validation])
