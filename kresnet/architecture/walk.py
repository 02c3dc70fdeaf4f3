"""One walk over a network: it builds, counts and finds."""

import functools
from typing import TYPE_CHECKING

from kresnet.architecture.parts import Parts, Place, Tensor

if TYPE_CHECKING:  # a model is checked by the census, which walks
    from kresnet.architecture.model import ModelSpec


def walk(model: "ModelSpec", x: Tensor, parts: Parts) -> Tensor:
    """Goes through a network once; the parts decide what that means.

    Args:
        model: The `model` part of a spec.
        x: The images, as the parts take them.
        parts: Anything that has the layers of `Parts`.

    Returns:
        The logits, as the parts make them.

    Reference:
        He et al. 2015, table 1: the names of the places.
    """
    stem = model.stem
    place = Place("conv1", f"{stem.kernel}×{stem.kernel}", stem.stride)
    x = parts.at(place).define(stem.define, x)
    for i, stage in enumerate(model.stages):
        for j in range(1, stage.blocks + 1):
            place = Place(
                f"conv{i + 2}_{j}",  # conv2_x, conv3_x …
                stage.kind,
                stage.stride if j == 1 else 1,
                stage=i,
                block=j,
                ends_stage=j == stage.blocks,
            )
            x = parts.at(place).define(stage.define, x)
    x = parts.at(Place("pool", "global average")).define(_average, x)
    classifier = functools.partial(_dense, width=model.classes)
    return parts.at(Place("fc", "dense")).define(classifier, x)


def _average(x, parts):
    return parts.average(x)


def _dense(x, parts, width):
    return parts.dense(x, width)
