"""The table of a report: errors by network, beside the paper's."""

from collections.abc import Iterator

from kresnet.architecture import census
from kresnet.explain import caveats, explain, paper_network
from kresnet.files import number, part_of
from kresnet.records.run import RecordedRun
from kresnet.reporting.average import mean_and_deviation
from kresnet.reporting.groups import Group, ReportedRuns
from kresnet.reporting.markup import Markup, element, joined, table, wide
from kresnet.reporting.paper_table import PAPER_TEST_ERROR, not_comparable
from kresnet.reporting.proxy import marked


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
    return number(part_of(run.info, "best_validation", name))


def _partly(values: list[float | None]) -> str:
    """A mean of those that are there, with n where some are not."""
    there = [value for value in values if value is not None]
    text = mean_and_deviation(there)
    if there and len(there) < len(values):
        text += f" (n = {len(there)})"
    return text


def _paper(group: Group) -> str:
    if reasons := _reasons(group):
        return "not comparable: " + "; ".join(reasons)
    return PAPER_TEST_ERROR[paper_network(group.spec.model)]


def _reasons(group: Group) -> list[str]:
    """Why the mean of a group may not stand beside the paper's number."""
    if not group.finished:
        return ["no run is finished", *not_comparable(group.spec)]
    found = [not_comparable(run.spec, run.info) for run in group.finished]
    return list(dict.fromkeys(reason for each in found for reason in each))
