"""The table of a report: errors by network, beside the paper's."""

from collections.abc import Iterator

from kresnet.census import census
from kresnet.explain import caveats, explain, paper_network
from kresnet.recorded_run import RecordedRun
from kresnet.reporting.average import mean_and_deviation
from kresnet.reporting.markup import Markup, element, joined, table, wide
from kresnet.reporting.paper_table import PAPER_TEST_ERROR, not_comparable
from kresnet.reporting.study import Group, Study, number, part_of


def results_section(study: Study) -> Iterator[Markup]:
    """Errors by network, beside the paper's where they may stand there."""
    yield table(
        "Error in percent: mean ± standard deviation over n runs that differ by"
        " their seeds. The last iteration and the best by validation are kept"
        " apart.",
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
        [_result(group) for group in study.groups],
    )
    beside = [g for g in study.groups if not not_comparable(g.spec)]
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
    last = [run.info["test_error"] for run in group.finished]
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
            joined(text, element("small", " proxy")) if group.proxy else text
            for text in (
                mean_and_deviation(last),
                _partly(best),
                _partly(held_out),
            )
        ),
        wide(_paper(group)),
    ]


def _best(run: RecordedRun, name: str) -> float | None:
    return number(part_of(run.info, "best_validation", name))


def _partly(values: list[float | None]) -> str:
    """A mean of those that are there, with n where some are not."""
    there = [value for value in values if value is not None]
    text = mean_and_deviation(there)
    if there and len(there) < len(values):
        text += f" (n = {len(there)})"
    return text


def _paper(group: Group) -> str:
    reasons = not_comparable(group.spec)
    if not group.finished:
        reasons = ["no run is finished", *reasons]
    if reasons:
        return "not comparable: " + "; ".join(reasons)
    return PAPER_TEST_ERROR[paper_network(group.spec.model)]
