"""The paper's test errors, and when a run may stand beside them."""

from kresnet.spec import Spec, differing_fields, load_spec, shipped_specs

# He et al. 2015, table 6: percent on CIFAR-10's test set.
PAPER_TEST_ERROR = {
    "resnet20": "8.75",
    "resnet32": "7.51",
    "resnet44": "7.17",
    "resnet56": "6.97",
    "resnet110": "6.43 (best; 6.61 ± 0.16 over 5 runs)",
    "resnet1202": "7.93",
}


# They change nothing about the result, or the paper does not state them.
FREE_FIELDS = ("name", "data.validation", "training.evaluate_every")


def beside_paper(spec: Spec) -> str:
    """The paper's number for a spec, or why there is none to compare with.

    A number of the paper stands beside a run only if the run is the shipped
    recipe of that network, but for `FREE_FIELDS`.
    """
    if spec.name not in shipped_specs() or spec.data.dataset != "cifar10":
        return "not comparable: not a network of the paper"
    recipe = load_spec(spec.name)
    differences = [
        text
        for text in differing_fields(recipe, spec)
        if text.split(":")[0] not in FREE_FIELDS
    ]
    if differences:
        return "not comparable: " + "; ".join(differences)
    if spec.name not in PAPER_TEST_ERROR:
        return "not comparable: the paper gives no number"
    return PAPER_TEST_ERROR[spec.name] + " % (on 45k or 50k images: not stated)"
