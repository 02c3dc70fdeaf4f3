"""One walk over a network: it builds, counts and finds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.architecture.parts import Definition, Parts, Place, Tensor

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
    """
    for place, definition in _places(model):
        x = parts.at(place).define(definition, x)
    return x


def _places(model: "ModelSpec") -> Iterator[tuple[Place, Definition]]:
    """What stands where; the names are those of He et al. 2015, table 1."""
    yield from model.before_stages()
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
            yield place, stage.define
    yield from model.after_stages()
