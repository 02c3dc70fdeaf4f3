"""Whether one spec is another one with plain blocks added."""

import re

from kresnet.spec.recipe import differing_fields
from kresnet.spec.spec import Spec

BLOCKS = re.compile(r"model\.stages\[\d+\]\.blocks")


def reasons_not_deeper(shallow: Spec, deep: Spec) -> list[str]:
    """Why a trained `shallow` cannot become a `deep`; empty if it can.

    A residual block that does nothing is another construction than He et al.
    2015, section 1, has in mind, so all stages must be plain. The data must be
    the same, split and transforms too: the network's function is theirs.

    Args:
        shallow: What was trained.
        deep: The same with blocks added at the end of stages.

    Returns:
        Lines as those of `differing_fields`, with what is wrong.
    """
    reasons = [
        f"model.stages[{i}].block: must be plain. Received: {stage.block}"
        for i, stage in enumerate(deep.model.stages)
        if stage.block != "plain"
    ]
    for line in differing_fields(shallow, deep):
        field = line.partition(": ")[0]
        concerns = field.startswith(("model.", "data."))
        if concerns and not BLOCKS.fullmatch(field):
            reasons.append(f"{line}: must not differ")
    pairs = list(zip(shallow.model.stages, deep.model.stages, strict=False))
    reasons += [
        f"model.stages[{i}].blocks: {old.blocks} -> {new.blocks}: must not"
        " become fewer"
        for i, (old, new) in enumerate(pairs)
        if old.blocks > new.blocks
    ]
    if not reasons and all(old.blocks == new.blocks for old, new in pairs):
        reasons.append("model.stages: no block is added")
    return reasons
