"""Whether a result may stand beside the paper's."""

from collections.abc import Iterable

from kresnet.explain.point import DEVIATES, Point


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
