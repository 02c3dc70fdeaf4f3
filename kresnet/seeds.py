"""The seed of a run."""

import operator
from typing import SupportsIndex

from kresnet.errors import SpecError


def check_seed(seed: SupportsIndex) -> int:
    """Returns a seed of Python's or NumPy's as an integer of Python's.

    Raises:
        ValueError: It is no integer in [0, 2**63).
    """
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**63:
        raise ValueError(
            f"`seed` must be an integer in [0, 2**63). Received: seed={seed!r}"
        )
    return number


def seed_option(seed: SupportsIndex) -> int:
    """Checks what `--seed` gives; another number is a SpecError."""
    try:
        return check_seed(seed)
    except ValueError as error:
        raise SpecError(f"--seed: {error}") from error
