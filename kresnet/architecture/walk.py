"""One walk over a network: it builds, counts and finds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.architecture.parts import Parts, Place, Placed, Tensor

if TYPE_CHECKING:  # a model is checked by the census, which walks
    from kresnet.architecture.model import ModelSpec


def walk(model: "ModelSpec", x: Tensor, parts: Parts) -> Tensor:
    """Goes through a network once; the parts decide what that means.

    `x` is the images as the parts take them, the result the logits as the parts
    make them.
    """
    parts.model = model
    for place, definition in _places(model):
        x = parts.at(place).define(definition, x)
    return x


def _places(model: "ModelSpec") -> Iterator[Placed]:
    """What stands where; the names are those of He et al. 2015, table 1."""
    yield from model.before_stages()
    total, done = sum(stage.blocks for stage in model.stages), 0
    for i, stage in enumerate(model.stages):
        number = i + (2 if model.stem else 1)  # conv2_x, conv3_x …
        for j in range(1, stage.blocks + 1):
            done += 1
            place = Place(
                f"conv{number}_{j}",
                stage.kind,
                ("stages", i),
                stage.stride if j == 1 else 1,
                stage=i,
                block=j,
                ends_stage=j == stage.blocks,
                first=done == 1,
                last=done == total,
                bare=done == 1 and not (model.stem and model.stem.activation),
                survival=1 - done / total * (1 - model.survival),
            )
            yield place, stage.define
        yield from stage.after(number, ("stages", i))
    yield from model.after_stages()
