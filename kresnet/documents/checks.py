"""Runs checks of what must hold between the fields of a spec.

Each check is a generator of problems. It reads the fields it needs and no
more: of a spec with mistakes elsewhere it sees a partial view, in which reading
a field that is missing or wrong ends the check (see `partial.py`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kresnet.documents.problems import Problem, field_name

Check = Callable[[Any], Iterator[Problem]]


class MissingFieldError(Exception):
    """A check read a field that is missing or wrong."""


def run_checks(checks: Iterable[Check], spec: Any) -> list[Problem]:
    """Returns the problems that the checks find, as far as they get."""
    problems = []
    for check in checks:
        try:
            for problem in check(spec):  # keep those found before it ends
                problems.append(problem)
        except MissingFieldError:
            continue
    return problems


def raise_problems(checks: Iterable[Check], spec: Any) -> None:
    """Raises `ValueError` for specs that are made in Python, not read."""
    problems = run_checks(checks, spec)
    if problems:
        raise ValueError(
            "; ".join(f"{field_name(p.path)}: {p.message}" for p in problems)
        )
