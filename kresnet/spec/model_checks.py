"""What must hold within the `model` part of a spec.

A check is a generator of problems over a `ModelSpec`;
paths are relative to the `model` part.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.census import census
from kresnet.documents import Problem

if TYPE_CHECKING:
    from kresnet.spec.model import ModelSpec

# ResNet-1202 has 19 million; a billion takes 4 GB, and as much for momentum.
MOST_PARAMETERS = 1_000_000_000


def kernel_is_odd(model: "ModelSpec") -> Iterator[Problem]:
    """An even kernel has no middle and cannot be padded evenly."""
    if model.stem.kernel % 2 == 0:
        yield Problem(("stem", "kernel"), "must be 1, 3, 5 or 7")


def strides_divide_sizes(model: "ModelSpec") -> Iterator[Problem]:
    """Even padding halves a map exactly only if its sides are even."""
    height, width = model.input[:2]
    chain = [_size(height, width)]
    strided = [(("stem",), model.stem)]
    strided += [(("stages", i), stage) for i, stage in enumerate(model.stages)]
    for path, part in strided:
        stride = part.stride
        if height % stride or width % stride:
            yield Problem(
                (*path, "stride"),
                f"must divide the maps it meets; they go {'→'.join(chain)},"
                f" and {chain[-1]} is not divisible by {stride}",
                also=(("input",),),
            )
            return
        if stride > 1:
            height, width = height // stride, width // stride
            chain.append(_size(height, width))


def option_a_never_narrows(model: "ModelSpec") -> Iterator[Problem]:
    """Shortcut A can append channels of zeros but cannot drop channels."""
    channels, before = model.stem.width, ("stem", "width")
    for i, stage in enumerate(model.stages):
        path = ("stages", i, "width")
        option_a = stage.block == "basic" and stage.shortcut == "A"
        if option_a and stage.width < channels:
            yield Problem(
                path,
                f"must be at least {channels}, the width before it: shortcut A"
                " pads with zero channels and cannot drop any; use shortcut B",
                also=(("stages", i, "shortcut"), before),
            )
        channels, before = stage.width, path


def memory_can_hold_it(model: "ModelSpec") -> Iterator[Problem]:
    """A mistyped width or number of blocks is found before it is built."""
    parameters = census(model).parameters
    if parameters > MOST_PARAMETERS:
        yield Problem(
            ("stages",),
            f"would have about {parameters:.1e} parameters,"
            f" {4 * parameters / 1e9:,.0f} GB in float32; at most"
            f" {MOST_PARAMETERS:.0e} are allowed",
            also=tuple(
                ("stages", i, field)
                for i in range(len(model.stages))
                for field in ("blocks", "width")
            ),
            received=False,
        )


MODEL_CHECKS = (
    kernel_is_odd,
    strides_divide_sizes,
    option_a_never_narrows,
    memory_can_hold_it,
)


def _size(height: int, width: int) -> str:
    return f"{height}" if height == width else f"{height}×{width}"
