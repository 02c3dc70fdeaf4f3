"""Part of the iterations: a proxy of the experiment that was meant."""

import contextlib
import re
from fractions import Fraction

from kresnet.documents import shown
from kresnet.errors import SpecError
from kresnet.spec import Spec

# Few digits, so that none takes long: 1e-99999999 would fill the memory.
SHARE = re.compile(r"[0-9]{1,20}/[0-9]{1,20}|[0-9.]{1,20}(e-?[0-9]{1,2})?")


def parse_budget(text: str) -> Fraction:
    """Reads "5%" or "0.05".

    Raises:
        SpecError: It is no number in (0, 1].
    """
    share = text.strip().removesuffix("%").rstrip()
    budget = Fraction(0)
    if SHARE.fullmatch(share):
        with contextlib.suppress(ValueError, ZeroDivisionError):
            budget = Fraction(share)
    if text.strip().endswith("%"):
        budget /= 100
    if not 0 < budget <= 1:
        raise SpecError(
            "--budget: must be a share such as 5% or 0.05, above 0 and at most"
            f" 100%. Received: {shown(text)}"
        )
    return budget


def scaled(spec: Spec, budget: Fraction) -> Spec:
    """Scales iterations, drops and the warm-up's limit together.

    Drops that would fall together, or on the last iteration, are left out;
    rows of metrics.csv come at least ten times.

    Raises:
        SpecError: Nothing to train would be left.
    """
    if budget == 1:
        return spec
    training = spec.training
    iterations = round(training.iterations * budget)
    if iterations < 1:
        raise SpecError(f"--budget: leaves {spec.name} no iteration")
    drops = {round(at * budget) for at in training.learning_rate.at}
    rate = training.learning_rate.model_copy(
        update={"at": tuple(sorted(d for d in drops if 0 < d < iterations))}
    )
    changes = {
        "iterations": iterations,
        "learning_rate": rate,
        "evaluate_every": max(
            1, min(training.evaluate_every, iterations // 10)
        ),
    }
    if warm_up := training.warm_up:
        limit = max(warm_up.over, round(warm_up.limit * budget))
        if limit > iterations:
            raise SpecError(
                f"--budget: leaves {spec.name} {iterations} iterations, fewer"
                f" than the {warm_up.over} batches that its warm-up looks at"
            )
        changes["warm_up"] = warm_up.model_copy(update={"limit": limit})
    changed = training.model_copy(update=changes)
    # Through the checks again.
    return Spec.model_validate(
        {**spec.model_dump(), "training": changed.model_dump()}
    )
