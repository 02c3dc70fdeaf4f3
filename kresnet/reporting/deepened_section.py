"""The table of runs that began with a shallower net, deepened."""

from collections.abc import Iterator

from kresnet.files import number, part_of
from kresnet.records.run import RecordedRun
from kresnet.reporting.average import NOTHING
from kresnet.reporting.groups import Group, ReportedRuns
from kresnet.reporting.markup import Markup, table, wide
from kresnet.reporting.proxy import marked


def deepened_section(reported: ReportedRuns) -> Iterator[Markup]:
    """What they began as, before any training, and what became of them.

    Nothing where there is no such run.
    """
    rows = [
        _row(group, run)
        for group in reported.groups
        for run in group.runs
        if isinstance(run.info.get("deepened"), dict)
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
    name, iteration = (
        part_of(run.info, "deepened", part) for part in ("name", "iteration")
    )
    errors = [
        part_of(run.info, "deepened", part)
        for part in ("run_test_error", "test_error", "validation_error")
    ]
    last = run.info.get("test_error") if run.finished else None
    return [
        group.label,
        run.seed,
        wide(f"{name}, iteration {iteration}"),
        *(marked(_percent(e), group.proxy) for e in [*errors, last]),
        f"{run.info['iteration']:,}",
    ]


def _percent(value: object) -> str:
    error = number(value)
    return NOTHING if error is None else f"{error:.2f}"
