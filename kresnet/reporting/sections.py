"""The sections of a report's page: tables and figures as markup."""

from collections.abc import Iterator

from kresnet.explain.run import machine
from kresnet.files import number
from kresnet.reporting.average import NOTHING, mean_and_deviation
from kresnet.reporting.groups import ReportedRuns
from kresnet.reporting.inline_svg import inline_svg
from kresnet.reporting.markup import (
    Markup,
    bullets,
    element,
    table,
    wide,
)
from kresnet.reporting.proxy import marked
from kresnet.reporting.report_figures import Evaluations, ReportFigure
from kresnet.spec import dump_spec


def left_out(reported: ReportedRuns) -> Iterator[Markup]:
    """Runs that are in no average, and why."""
    yield table(
        "These runs are in no average.",
        ["run", "why"],
        [[str(each.folder), wide(each.reason)] for each in reported.left_out],
    )


def figure(shown: ReportFigure) -> Markup:
    """A figure with its caption."""
    return element(
        "figure",
        inline_svg(shown.figure, shown.place, shown.title, shown.description),
        element("figcaption", f"{shown.title}. {shown.caption}"),
    )


def confusion(
    reported: ReportedRuns,
    evaluated: list[Evaluations],
    figures: list[ReportFigure],
) -> Iterator[Markup]:
    """The confusion matrices, and how to get those that are missing."""
    yield from map(figure, figures)
    there = {each.group.label for each in evaluated}
    missing = [
        group.label
        for group in reported.groups
        if group.finished and group.label not in there
    ]
    if missing:
        yield element(
            "p",
            "No confusion matrix of ",
            ", ".join(missing),
            ": ",
            element("code", "kresnet evaluate RUN"),
            " measures one.",
            class_="muted",
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
                *(
                    marked(mean_and_deviation(errors), each.group.proxy)
                    for errors in (
                        [e.error for e in each.found],
                        [e.top5_error for e in each.found],
                    )
                ),
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


def runs(reported: ReportedRuns) -> Iterator[Markup]:
    """Every run that could be read, and what it ran on."""
    rows = []
    for group in reported.groups:
        for run in group.runs:
            info = run.info
            rows.append(
                [
                    str(run.folder),
                    group.label,
                    run.seed,
                    info["status"],
                    f"{info['iteration']:,}",
                    marked(_decimals(info.get("test_error"), 2), group.proxy),
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
    return NOTHING if there is None else f"{there:,.{places}f}"


def recipes(reported: ReportedRuns) -> Iterator[Markup]:
    """The specs, as run."""
    for group in reported.groups:
        yield element(
            "details",
            element("summary", group.label),
            element("pre", dump_spec(group.spec), tabindex=0),
        )


def notes(texts: list[str]) -> Iterator[Markup]:
    """What could not be shown."""
    yield bullets(texts)
