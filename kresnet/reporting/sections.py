"""The sections of a report."""

import dataclasses
from collections.abc import Iterator

from kresnet.architecture import census
from kresnet.explain import (
    DEVIATES,
    EQUAL,
    EQUIVALENT,
    GRADES,
    Point,
    caveats,
    explain,
    paper_network,
)
from kresnet.explain.explain import counted
from kresnet.explain.run import machine
from kresnet.figures import ReportFigure
from kresnet.records.run import RecordedRun
from kresnet.records.study import study_of
from kresnet.reporting.groups import (
    NOTHING,
    Evaluations,
    Group,
    ReportedRuns,
    marked,
    mean_and_deviation,
)
from kresnet.reporting.html import (
    Markup,
    bullets,
    element,
    inline_svg,
    joined,
    table,
    wide,
)
from kresnet.reporting.paper import PAPER_TEST_ERROR, not_comparable
from kresnet.spec import dump_spec


def study_headings(reported: ReportedRuns) -> Iterator[Markup]:
    """A paragraph for every study that has a run here: what it shows."""
    runs = [run.folder for group in reported.groups for run in group.runs]
    studies = filter(None, map(study_of, runs))
    once = {(s.name, s.shows, s.budget): s for s in studies}
    for study in once.values():
        yield element("p", element("strong", f"{study.name}: "), study.shows)
        if study.proxy:
            yield element(
                "p",
                element("strong", "Proxy: "),
                f"{study.budget * 100:.4g} % of the iterations, the drops of"
                " the learning rate scaled with them. Every number of this"
                " study is a proxy's and none stands beside the paper's.",
            )


def results_section(reported: ReportedRuns) -> Iterator[Markup]:
    """Errors by network, beside the paper's where they may stand there."""
    yield table(
        "Error in percent: mean ± standard deviation over n runs that differ by"
        " their seeds. The last iteration and the best by validation are kept"
        " apart; the best is that of the iterations at which the validation"
        " error was taken.",
        [
            "network",
            "layers",
            "parameters",
            "n",
            "test, last iteration",
            "test, best by validation",
            "validation, best",
            "test, paper (table 6)",
        ],
        [_result(group) for group in reported.groups],
    )
    beside = [g for g in reported.groups if not _reasons(g)]
    if beside:
        yield element(
            "p",
            "The paper does not state whether its networks were trained on"
            " 45,000 or on 50,000 images. ",
            "; ".join(caveats(explain(beside[0].spec))),
            ".",
            class_="muted",
        )


def _result(group: Group) -> list:
    network = census(group.spec.model)
    last = [run.record.test_error for run in group.finished]
    best = [_best(run, "test_error") for run in group.finished]
    held_out = [_best(run, "validation_error") for run in group.finished]
    # An arrow that a line does not end with, nor break.
    changes = [
        element("small", text.replace(" -> ", " →\u00a0"))
        for text in group.changes
    ]
    return [
        joined(group.label, *changes),
        f"{network.layers:,}",
        f"{network.parameters:,}",
        len(last),
        *(
            marked(text, group.proxy)
            for text in (
                mean_and_deviation(last),
                _partly(best),
                _partly(held_out),
            )
        ),
        wide(_paper(group)),
    ]


def _best(run: RecordedRun, name: str) -> float | None:
    best = run.record.best_validation
    return best and getattr(best, name)


def _partly(values: list[float | None]) -> str:
    """A mean of those that are there, with n where some are not."""
    there = [value for value in values if value is not None]
    text = mean_and_deviation(there)
    if there and len(there) < len(values):
        text += f" (n = {len(there)})"
    return text


def _paper(group: Group) -> str:
    reasons = _reasons(group)
    network = paper_network(group.spec.model)
    if reasons or network is None:
        return "not comparable: " + "; ".join(reasons)
    return PAPER_TEST_ERROR[network]


def _reasons(group: Group) -> list[str]:
    """Why the mean of a group may not stand beside the paper's number."""
    if not group.finished:
        return ["no run is finished", *not_comparable(group.spec)]
    found = [not_comparable(run.spec, run.record) for run in group.finished]
    return list(dict.fromkeys(reason for each in found for reason in each))


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
        for point in explain(run.spec, run.record):
            before = merged.get(point.topic)
            merged[point.topic] = _both(before, point) if before else point
    return list(merged.values())


def _both(a: Point, b: Point) -> Point:
    here = a.here
    if b.here not in here.split("; ") and b.here != here:
        here = f"{here}; {b.here}"
    grade = max(a.grade, b.grade, key=list(GRADES).index)
    return dataclasses.replace(a, here=here, grade=grade)


def deepened_section(reported: ReportedRuns) -> Iterator[Markup]:
    """What they began as, before any training, and what became of them.

    Nothing where there is no such run.
    """
    rows = [
        _row(group, run)
        for group in reported.groups
        for run in group.runs
        if run.record.deepened
    ]
    if rows:
        yield table(
            "Trained plain nets with identity blocks added: error in percent"
            " before any further training (iteration 0), where it is that of"
            " the net they were made of, and after it.",
            [
                "network",
                "seed",
                "made of",
                "its test error",
                "iteration 0: test",
                "iteration 0: validation",
                "last iteration: test",
                "iterations",
            ],
            rows,
        )


def _row(group: Group, run: RecordedRun) -> list:
    began = run.record.deepened
    errors = (
        began.run_test_error,
        began.test_error,
        began.validation_error,
        run.record.test_error if run.finished else None,
    )
    return [
        group.label,
        run.seed,
        wide(f"{began.name}, iteration {began.iteration}"),
        *(marked(_decimals(e, 2), group.proxy) for e in errors),
        f"{run.record.iteration:,}",
    ]


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
                protocol.split,
                protocol.views,
                protocol.batch_norm_statistics,
                protocol.images,
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
            record = run.record
            rows.append(
                [
                    str(run.folder),
                    group.label,
                    run.seed,
                    record.status,
                    f"{record.iteration:,}",
                    marked(_decimals(record.test_error, 2), group.proxy),
                    _decimals(record.seconds, 0),
                    _decimals(record.images_per_second, 0),
                    machine(record),
                    record.finished,
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


def _decimals(value: float | None, places: int) -> str:
    return NOTHING if value is None else f"{value:,.{places}f}"


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
