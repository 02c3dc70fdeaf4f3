"""A point of the paper beside a spec, and what spoils the comparison."""

from collections.abc import Iterable
from dataclasses import dataclass, field

EQUAL, EQUIVALENT, DEVIATES = "equal", "equivalent", "deviates"
GRADES = {
    EQUAL: "what the paper says",
    EQUIVALENT: "the same by other means, or a choice the paper leaves open",
    DEVIATES: "something else than the paper says",
}


@dataclass(frozen=True)
class Point:
    """What the paper says about one thing, and what is done here.

    Attributes:
        topic: What it is about, a few words.
        paper: What the paper says.
        source: Where: section, figure or table. `explain` fills in the
            sections of the experiments where it is empty.
        here: What this spec, or this run, does.
        grade: One of `GRADES`.
        caveat: For a deviation that concerns how a result is measured, not how
            it came about: it is named beside the result, and the paper's
            number may stand there all the same.
    """

    topic: str
    paper: str
    source: str = field(default="", kw_only=True)
    here: str
    grade: str
    caveat: bool = False


def equal_if(condition: bool) -> str:
    """The grade of a point that is as in the paper or is not."""
    return EQUAL if condition else DEVIATES


def reasons_against(points: Iterable[Point]) -> list[str]:
    """Why a result may not stand beside the paper's; empty if it may."""
    return [
        f"{point.topic}: {point.here}"
        for point in points
        if point.grade == DEVIATES and not point.caveat
    ]


def caveats(points: Iterable[Point]) -> list[str]:
    """What must be said where the paper's number stands beside a result."""
    return [
        f"{point.topic}: {point.here}"
        for point in points
        if point.grade == DEVIATES and point.caveat
    ]
