"""What the paper says and what the runs do, for each group."""

import dataclasses
from collections.abc import Iterator

from kresnet.explain import (
    DEVIATES,
    EQUAL,
    EQUIVALENT,
    GRADES,
    Point,
    explain,
)
from kresnet.explain.explain import counted
from kresnet.reporting.groups import Group, ReportedRuns
from kresnet.reporting.markup import Markup, bullets, element, table, wide

SIGNS = {EQUAL: "=", EQUIVALENT: "≈", DEVIATES: "≠"}


def points_section(reported: ReportedRuns) -> Iterator[Markup]:
    """The points of `kresnet explain`, for each group."""
    yield bullets([f"{SIGNS[g]} {g}: {means}" for g, means in GRADES.items()])
    yield from map(_details, reported.groups)


def _details(group: Group) -> Markup:
    points = group_points(group)
    return element(
        "details",
        element("summary", f"{group.label}: {counted(points)}"),
        table(
            f"{group.label} beside the paper",
            ["point", "the paper", "where", "here", "grade"],
            [
                [
                    point.topic,
                    wide(point.paper),
                    point.source,
                    wide(point.here),
                    element(
                        "span",
                        f"{SIGNS[point.grade]} {point.grade}",
                        class_=point.grade,
                    ),
                ]
                for point in points
            ],
        ),
    )


def group_points(group: Group) -> list[Point]:
    """The points of all runs that are averaged, or of all if none is.

    Where the runs differ, as by their seeds, a point has what each does, and
    the grade of the one that is furthest from the paper.
    """
    merged: dict[str, Point] = {}
    for run in group.finished or group.unfinished:
        for point in explain(run.spec, run.info):
            before = merged.get(point.topic)
            merged[point.topic] = _both(before, point) if before else point
    return list(merged.values())


def _both(a: Point, b: Point) -> Point:
    here = a.here
    if b.here not in here.split("; ") and b.here != here:
        here = f"{here}; {b.here}"
    grade = max(a.grade, b.grade, key=list(GRADES).index)
    return dataclasses.replace(a, here=here, grade=grade)
