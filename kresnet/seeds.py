"""The seed of a run."""

import operator
from typing import SupportsIndex

from kresnet.errors import SpecError


def check_seed(seed: SupportsIndex) -> int:
    """Returns a seed as an integer of Python's.

    Args:
        seed: Integer in [0, 2**63), of Python's or NumPy's.

    Raises:
        ValueError: It is another number, or none.
    """
    if hasattr(seed, "__index__") and not isinstance(seed, bool):
        number = operator.index(seed)
        if 0 <= number < 2**63:
            return number
    raise ValueError(
        f"`seed` must be an integer in [0, 2**63). Received: seed={seed!r}"
    )


def seed_option(seed: SupportsIndex) -> int:
    """The same for `--seed`.

    Raises:
        SpecError: It is another number, or none.
    """
    try:
        return check_seed(seed)
    except ValueError as error:
        raise SpecError(f"--seed: {error}") from error
