"""Values from files that may hold anything."""

import math


def part_of(info: dict, name: str, part: str) -> object:
    """What a file says under two names; `None` where it does not."""
    mapping = info.get(name)
    return mapping.get(part) if isinstance(mapping, dict) else None


def number(value: object) -> float | None:
    """A finite number from a file, or `None` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer of more than 308 digits
        return None
