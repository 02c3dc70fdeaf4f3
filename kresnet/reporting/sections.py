"""The sections of a report's page: tables and figures as markup."""

from collections.abc import Iterator

from kresnet.explain import (
    DEVIATES,
    EQUAL,
    EQUIVALENT,
    GRADES,
    explain,
)
from kresnet.explain.as_text import counted
from kresnet.explain.run import machine
from kresnet.reporting.average import mean_and_deviation
from kresnet.reporting.inline_svg import inline_svg
from kresnet.reporting.markup import (
    Markup,
    bullets,
    element,
    table,
    wide,
)
from kresnet.reporting.report_figures import Evaluations, ReportFigure
from kresnet.reporting.study import Group, Study, number
from kresnet.spec import dump_spec

SIGNS = {EQUAL: "=", EQUIVALENT: "≈", DEVIATES: "≠"}


def left_out(study: Study) -> Iterator[Markup]:
    """Runs that are in no average, and why."""
    yield table(
        "These runs are in no average.",
        ["run", "why"],
        [[str(each.folder), wide(each.reason)] for each in study.left_out],
    )


def figure(shown: ReportFigure) -> Markup:
    """A figure with its caption."""
    return element(
        "figure",
        inline_svg(shown.figure, shown.place, shown.title, shown.description),
        element("figcaption", f"{shown.title}. {shown.caption}"),
    )


def evaluations(found: list[Evaluations]) -> Iterator[Markup]:
    """What `kresnet evaluate` measured, by protocol."""
    rows = []
    for each in found:
        protocol = each.found[0].protocol
        rows.append(
            [
                each.group.label,
                protocol.get("split"),
                protocol.get("views"),
                protocol.get("batch_norm_statistics"),
                protocol.get("images"),
                len(each.found),
                mean_and_deviation([e.error for e in each.found]),
                mean_and_deviation([e.top5_error for e in each.found]),
            ]
        )
    yield table(
        "Error in percent, mean ± standard deviation over n runs.",
        [
            "network",
            "split",
            "views",
            "batch-norm statistics",
            "images",
            "n",
            "top-1 error",
            "top-5 error",
        ],
        rows,
    )


def runs(study: Study) -> Iterator[Markup]:
    """Every run that could be read, and what it ran on."""
    rows = []
    for group in study.groups:
        for run in [*group.finished, *group.unfinished]:
            info = run.info
            rows.append(
                [
                    str(run.folder),
                    group.label,
                    run.seed,
                    info["status"],
                    f"{info['iteration']:,}",
                    _decimals(info.get("test_error"), 2),
                    _decimals(info.get("seconds"), 0),
                    _decimals(info.get("images_per_second"), 0),
                    machine(info),
                    info.get("finished"),
                ]
            )
    yield table(
        "Every run that could be read. Its folder holds versions, hardware and"
        " the numbers of every iteration.",
        [
            "run",
            "network",
            "seed",
            "status",
            "iteration",
            "test error (%)",
            "seconds",
            "images/s",
            "machine",
            "finished",
        ],
        rows,
    )


def _decimals(value: object, places: int) -> str:
    there = number(value)
    return "–" if there is None else f"{there:,.{places}f}"


def beside_paper(study: Study) -> Iterator[Markup]:
    """What the paper says and what the runs do, for each group."""
    yield bullets([f"{SIGNS[g]} {g}: {means}" for g, means in GRADES.items()])
    yield from map(_paper_points, study.groups)


def _paper_points(group: Group) -> Markup:
    everyone = [*group.finished, *group.unfinished]
    info = everyone[0].info if len(everyone) == 1 else None
    points = explain(group.spec, info)
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


def recipes(study: Study) -> Iterator[Markup]:
    """The specs, as run."""
    for group in study.groups:
        yield element(
            "details",
            element("summary", group.label),
            element("pre", dump_spec(group.spec), tabindex=0),
        )


def notes(texts: list[str]) -> Iterator[Markup]:
    """What could not be shown."""
    yield bullets(texts)
