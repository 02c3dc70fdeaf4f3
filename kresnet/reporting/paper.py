"""The papers' test errors, and when a run may stand beside them."""

from kresnet.explain import (
    experiments_of,
    explain,
    printed_network,
    reasons_against,
    shape_known,
)
from kresnet.records.run import RunRecord
from kresnet.spec import Spec


def paper_test_error(spec: Spec) -> str:
    """What the paper prints for a network: "8.75 (table 6)"; or nothing."""
    network = printed_network(spec.model, experiments_of(spec))
    if network is None or not network[1].error:
        return ""
    return f"{network[1].error} ({network[1].where})"


def beside_paper(spec: Spec, record: RunRecord | None = None) -> str:
    """The paper's number for a spec, or why there is none to compare with.

    A number of the paper stands beside a run only if nothing in its spec and
    in its record deviates from the paper but how batch norm's statistics for
    testing came about.
    """
    if reasons := not_comparable(spec, record):
        return "not comparable: " + "; ".join(reasons)
    return paper_test_error(spec)


def not_comparable(spec: Spec, record: RunRecord | None = None) -> list[str]:
    """Why a result may not stand beside the paper's; empty if it may."""
    paper = experiments_of(spec)
    same_data = spec.data.dataset == paper.dataset
    if not (same_data and shape_known(spec.model, paper)):
        return ["not a network of the paper"]
    reasons = reasons_against(explain(spec, record))
    network = printed_network(spec.model, paper)
    if not reasons and network and not network[1].error:
        if others := network[1].others:
            return [f"the paper's numbers are of other tests: {others}"]
        return ["the paper gives no number"]
    return reasons
