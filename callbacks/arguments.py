"""Checks of what constructors of callbacks and layers take."""

import math
import numbers
import operator


def check_integer(
    name: str, value: object, least: int, most: int | None = None
) -> int:
    """Returns an integer in a range as one of Python's, which has no limit.

    Python's and NumPy's integers are taken, booleans are not; else ValueError.
    """
    if (
        not isinstance(value, numbers.Integral)
        or isinstance(value, bool)
        or int(value) < least
        or (most is not None and int(value) > most)
    ):
        upper = "" if most is None else f" and at most {most}"
        raise ValueError(
            f"`{name}` must be an integer of at least {least}{upper}. "
            f"Received: {name}={value!r}"
        )
    return operator.index(value)


def check_number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> float:
    """Returns a finite number in a range as one of Python's.

    Python's and NumPy's numbers are taken, booleans are not; else ValueError.
    An integer stays one.
    """
    bounds = [
        (words, holds, bound)
        for words, holds, bound in (
            ("above", operator.gt, above),
            ("at least", operator.ge, least),
            ("below", operator.lt, below),
            ("at most", operator.le, most),
        )
        if bound is not None
    ]
    if (
        not isinstance(value, numbers.Real)
        or isinstance(value, bool)
        or not _is_finite(value)
        or not all(holds(value, bound) for _, holds, bound in bounds)
    ):
        allowed = " and ".join(f"{words} {bound}" for words, _, bound in bounds)
        raise ValueError(
            f"`{name}` must be a finite number {allowed}. "
            f"Received: {name}={value!r}"
        )
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def _is_finite(value: numbers.Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floats
        return False


def check_function(name: str, value: object) -> None:
    """Raises `ValueError` for what cannot be called and is not `None`."""
    if value is not None and not callable(value):
        raise ValueError(
            f"`{name}` must be a function or None. Received: {name}={value!r}"
        )
