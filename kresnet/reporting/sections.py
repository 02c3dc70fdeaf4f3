"""The sections of a report; one with nothing to show yields nothing."""

import dataclasses
from collections.abc import Iterator, Sequence

from kresnet.architecture import census
from kresnet.explain import (
    DEVIATES,
    EQUAL,
    EQUIVALENT,
    GRADES,
    Point,
    caveats,
    explain,
)
from kresnet.explain.explain import counted
from kresnet.explain.run import machine
from kresnet.records.run import Deepened, RecordedRun
from kresnet.records.study import study_of
from kresnet.reporting.groups import (
    NOTHING,
    Group,
    ReportedRuns,
    marked,
    mean_and_deviation,
)
from kresnet.reporting.html import (
    Markup,
    Row,
    bullets,
    element,
    joined,
    table,
    wide,
)
from kresnet.reporting.paper import not_comparable, number_or_reasons
from kresnet.spec import dump_spec


def studies(reported: ReportedRuns) -> Iterator[Markup]:
    """A paragraph for every study that has a run here: what it shows."""
    folders = [run.folder for _, run in reported.members]
    found = filter(None, map(study_of, folders))
    once = {(s.name, s.shows, s.budget): s for s in found}
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


def results(reported: ReportedRuns) -> Iterator[Markup]:
    """Errors by network, beside the paper's where they may stand there."""
    yield from table(
        "Error in percent: mean ± standard deviation over n runs that differ by"
        " their seeds. The last iteration and the best by validation are kept"
        " apart; the best is that of the iterations at which the validation"
        " error was taken.",
        [_result(group) for group in reported.groups],
    )
    beside = [
        group
        for group in reported.groups
        if group.spec.data.dataset == "cifar10" and not _reasons(group)
    ]
    if beside:
        yield element(
            "p",
            "The papers do not state whether their networks were trained on"
            " 45,000 or on 50,000 images of CIFAR-10. ",
            "; ".join(caveats(explain(beside[0].spec))),
            ".",
            class_="muted",
        )


def _result(group: Group) -> Row:
    network = census(group.spec.model)
    last = [run.record.test_error for run in group.finished]
    best = [run.record.best_validation for run in group.finished]
    # An arrow that a line does not end with, nor break.
    changes = [
        element("small", text.replace(" -> ", " →\u00a0"))
        for text in group.changes
    ]
    errors: dict[str, list[float | None]] = {
        "test, last iteration": last,
        "test, best by validation": [
            each.test_error if each else None for each in best
        ],
        "validation, best": [
            each.validation_error if each else None for each in best
        ],
    }
    return {
        "network": joined(group.label, *changes),
        "layers": f"{network.layers:,}",
        "parameters": f"{network.parameters:,}",
        "n": len(last),
        **{
            column: marked(_partly(values), group.proxy)
            for column, values in errors.items()
        },
        "test, the paper": wide(number_or_reasons(group.spec, _reasons(group))),
    }


def _partly(values: Sequence[float | None]) -> str:
    """A mean of those that are there, with n where some are not."""
    there = [value for value in values if value is not None]
    text = mean_and_deviation(there)
    if there and len(there) < len(values):
        text += f" (n = {len(there)})"
    return text


def _reasons(group: Group) -> list[str]:
    """Why the mean of a group may not stand beside the paper's number."""
    if not group.finished:
        return ["no run is finished", *not_comparable(group.spec)]
    found = [not_comparable(run.spec, run.record) for run in group.finished]
    return list(dict.fromkeys(reason for each in found for reason in each))


SIGNS = {EQUAL: "=", EQUIVALENT: "≈", DEVIATES: "≠"}


def points(reported: ReportedRuns) -> Iterator[Markup]:
    """The points of `kresnet explain`, for each group."""
    if reported.groups:
        yield bullets(
            [f"{SIGNS[g]} {g}: {means}" for g, means in GRADES.items()]
        )
    for group in reported.groups:
        found = _group_points(group)
        rows: list[Row] = [
            {
                "point": point.topic,
                "the paper": wide(point.paper),
                "where": point.source,
                "here": wide(point.here),
                "grade": element(
                    "span",
                    f"{SIGNS[point.grade]} {point.grade}",
                    class_=point.grade,
                ),
            }
            for point in found
        ]
        yield element(
            "details",
            element("summary", f"{group.label}: {counted(found)}"),
            *table(f"{group.label} beside the paper", rows),
        )


def _group_points(group: Group) -> list[Point]:
    """The points of all runs that are averaged, or of all if none is.

    Where the runs differ, as by their seeds, a point has what each does, and
    the grade of the one that is furthest from the paper.
    """
    merged: dict[str, Point] = {}
    for run in group.finished or group.unfinished:
        for point in explain(run.spec, run.record):
            before = merged.setdefault(point.topic, point)
            here = before.here
            if point.here not in (here, *here.split("; ")):
                here = f"{here}; {point.here}"
            merged[point.topic] = dataclasses.replace(
                before,
                here=here,
                grade=max(before.grade, point.grade, key=list(GRADES).index),
            )
    return list(merged.values())


def deepened(reported: ReportedRuns) -> Iterator[Markup]:
    """What deepened networks were before any training, and after it."""
    rows = [
        _deepened_row(group, run, run.record.deepened)
        for group, run in reported.members
        if run.record.deepened
    ]
    yield from table(
        "Trained plain nets with identity blocks added: error in percent"
        " before any further training (iteration 0), where it is that of"
        " the net they were made of, and after it.",
        rows,
    )


def _deepened_row(group: Group, run: RecordedRun, began: Deepened) -> Row:
    errors = {
        "its test error": began.run_test_error,
        "iteration 0: test": began.test_error,
        "iteration 0: validation": began.validation_error,
        "last iteration: test": run.record.test_error if run.finished else None,
    }
    return {
        "network": group.label,
        "seed": run.seed,
        "made of": wide(f"{began.name}, iteration {began.iteration}"),
        **{
            column: marked(_decimals(error, 2), group.proxy)
            for column, error in errors.items()
        },
        "iterations": f"{run.record.iteration:,}",
    }


def left_out(reported: ReportedRuns) -> Iterator[Markup]:
    """Runs that are in no average, and why."""
    rows = [
        {"run": str(each.folder), "why": wide(each.reason)}
        for each in reported.left_out
    ]
    yield from table("These runs are in no average.", rows)


def runs(reported: ReportedRuns) -> Iterator[Markup]:
    """Every run that could be read, and what it ran on."""
    rows: list[Row] = []
    for group, run in reported.members:
        record = run.record
        rows.append(
            {
                "run": str(run.folder),
                "network": group.label,
                "seed": run.seed,
                "status": record.status,
                "iteration": f"{record.iteration:,}",
                "test error (%)": marked(
                    _decimals(record.test_error, 2), group.proxy
                ),
                "seconds": _decimals(record.seconds, 0),
                "images/s": _decimals(record.images_per_second, 0),
                "machine": machine(record),
                "finished": record.finished,
            }
        )
    yield from table(
        "Every run that could be read. Its folder holds versions, hardware"
        " and the numbers of every iteration.",
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
