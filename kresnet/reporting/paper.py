"""The papers' test errors, and when a run may stand beside them."""

from kresnet.explain import (
    experiments_of,
    explain,
    printed_network,
    reasons_against,
    shape_known,
)
from kresnet.records.evaluation import Protocol
from kresnet.records.run import RunRecord
from kresnet.spec import Spec


def paper_test_error(spec: Spec) -> str:
    """What the paper prints for a network: "8.75 (table 6)"; or nothing."""
    network = printed_network(spec.model, experiments_of(spec))
    single = network and network[1].single
    return str(single or "")


def beside_paper(spec: Spec, record: RunRecord | None = None) -> str:
    """The paper's number for a spec, or why there is none to compare with.

    A number of the paper stands beside a run only if nothing in its spec and
    in its record deviates from the paper but how batch norm's statistics for
    testing came about.
    """
    return number_or_reasons(spec, not_comparable(spec, record))


def number_or_reasons(spec: Spec, reasons: list[str]) -> str:
    """The paper's number for a spec, unless something speaks against it."""
    if reasons:
        return "not comparable: " + "; ".join(reasons)
    return paper_test_error(spec)


def paper_error_of_test(
    spec: Spec, protocol: Protocol, record: RunRecord | None = None
) -> str:
    """The paper's errors of a network in one test, and of no other; or nothing.

    Whether the dense tests of He et al. 2015 saw mirror images is not stated,
    so such a number stands beside tests with and without them.
    """
    paper = experiments_of(spec)
    network = printed_network(spec.model, paper)
    if network is None or protocol.split != "test" or _against(spec, record):
        return ""
    seen = (protocol.view, protocol.shorter_sides)
    for test in network[1].tests_of(spec):
        if (test.view, test.shorter_sides) == seen and test.mirrored in (
            None,
            protocol.mirrored,
        ):
            return f"{test.errors} ({test.where})"
    return ""


def not_comparable(spec: Spec, record: RunRecord | None = None) -> list[str]:
    """Why a result may not stand beside the paper's; empty if it may."""
    reasons = _against(spec, record)
    network = printed_network(spec.model, experiments_of(spec))
    if not reasons and network and not network[1].single:
        if tests := network[1].tests_of(spec):
            errors = ", ".join(map(str, tests))
            return [f"the paper's numbers are of other tests: {errors}"]
        return ["the paper gives no number"]
    return reasons


def _against(spec: Spec, record: RunRecord | None) -> list[str]:
    """Why it is another network than the paper's, or trained otherwise."""
    paper = experiments_of(spec)
    same_data = spec.data.dataset == paper.dataset
    if not (same_data and shape_known(spec.model, paper)):
        return ["not a network of the paper"]
    return reasons_against(explain(spec, record))
