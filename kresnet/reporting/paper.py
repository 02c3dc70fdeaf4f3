"""The paper's test errors, and when a run may stand beside them."""

from kresnet.explain import explain, paper_network, reasons_against
from kresnet.explain.network import paper_n
from kresnet.records.run import RunRecord
from kresnet.spec import Spec

# He et al. 2015, table 6: percent on CIFAR-10's test set.
PAPER_TEST_ERROR = {
    "resnet20": "8.75",
    "resnet32": "7.51",
    "resnet44": "7.17",
    "resnet56": "6.97",
    "resnet110": "6.43 (best; 6.61 ± 0.16 over 5 runs)",
    "resnet1202": "7.93",
}


def beside_paper(spec: Spec, record: RunRecord | None = None) -> str:
    """The paper's number for a spec, or why there is none to compare with.

    A number of the paper stands beside a run only if nothing in its spec and
    in its record deviates from the paper but the statistics of batch norm in
    testing.
    """
    reasons = not_comparable(spec, record)
    network = paper_network(spec.model)
    if reasons or network is None:
        return "not comparable: " + "; ".join(reasons)
    number = PAPER_TEST_ERROR[network]
    return f"{number} % (on 45k or 50k images: not stated)"


def not_comparable(spec: Spec, record: RunRecord | None = None) -> list[str]:
    """Why a result may not stand beside the paper's; empty if it may."""
    if paper_n(spec.model) is None or spec.data.dataset != "cifar10":
        return ["not a network of the paper"]
    reasons = reasons_against(explain(spec, record))
    if not reasons and paper_network(spec.model) not in PAPER_TEST_ERROR:
        return ["the paper gives no number"]
    return reasons
