"""The points as text for a terminal."""

import textwrap
from collections import Counter
from collections.abc import Sequence

from kresnet.explain.point import GRADES, Point


def as_text(points: Sequence[Point], width: int = 80) -> str:
    """Three lines or more for every point, and the grades counted.

    Args:
        points: What `explain` returned.
        width: Columns of the terminal.
    """
    blocks = []
    for point in points:
        lines = [f"{point.topic}: {point.grade}"]
        for name, text in (
            ("paper", f"{point.paper} ({point.source})"),
            ("here", point.here),
        ):
            lines += textwrap.wrap(
                text,
                max(width, 40),
                initial_indent=f"  {name:<7}",
                subsequent_indent=" " * 9,
                break_on_hyphens=False,
            )
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, counted(points)])


def counted(points: Sequence[Point]) -> str:
    """Writes "20 equal, 9 equivalent, 1 deviates"."""
    grades = Counter(point.grade for point in points)
    return ", ".join(f"{grades[grade]} {grade}" for grade in GRADES)
