"""What the parts of a network must agree on."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kresnet.architecture.bottleneck import BottleneckStage
from kresnet.architecture.census import Counting, census
from kresnet.architecture.residual import ResidualStage
from kresnet.documents import Path, Problem

if TYPE_CHECKING:
    from kresnet.architecture.model import ModelSpec

# ResNet-1202 has 19 million; a billion takes 4 GB, and as much for momentum.
MOST_PARAMETERS = 1_000_000_000


def strides_divide_sizes(model: "ModelSpec") -> Iterator[Problem]:
    """Even padding halves a map exactly only if its sides are even."""
    height, width = model.input[:2]
    chain = [_size(height, width)]
    for row in census(model).rows:
        stride = row.place.stride
        if height % stride or width % stride:
            yield Problem(
                (*row.place.field, "stride"),
                f"must divide the maps it meets; they go {'→'.join(chain)},"
                f" and {chain[-1]} is not divisible by {stride}",
                also=(("input",),),
            )
            return
        if stride > 1:
            height, width = height // stride, width // stride
            chain.append(_size(height, width))


def stages_take_what_comes(model: "ModelSpec") -> Iterator[Problem]:
    """Each kind of stage says which channels it takes."""
    channels = model.input[2]
    before: Path = ("input",)
    for row in census(model).rows:
        place = row.place
        if place.stage is not None and place.block == 1:
            for problem in model.stages[place.stage].problems(channels):
                inside = problem.under(place.field)
                yield dataclasses.replace(inside, also=(*inside.also, before))
        channels = row.output[2]
        if row.weighted:  # a pool keeps the channels
            stage = None if place.stage is None else model.stages[place.stage]
            emits = "output" if isinstance(stage, BottleneckStage) else "width"
            before = (*place.field, emits)


def memory_can_hold_it(model: "ModelSpec") -> Iterator[Problem]:
    """A mistyped width or number of blocks is found before it is built."""
    rows = census(model).rows
    parameters = sum(row.parameters for row in rows)
    in_head = (row for row in rows if row.place.field == ("head",))
    dense = sum(row.parameters for row in in_head)
    where: Path = ("head", "dense") if 2 * dense > parameters else ("stages",)
    if parameters > MOST_PARAMETERS:
        yield Problem(
            where,
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


def norms_agree(model: "ModelSpec") -> Iterator[Problem]:
    """A network has at most one kind of norm, and its fields have a use."""
    norm, group = model.batch_norm, model.group_norm
    if norm is not None and group is not None:
        yield Problem(
            ("group_norm",),
            "must be left out, or batch_norm must be null",
            also=(("batch_norm",),),
        )
    scaled = norm is not None and norm.last_scale != 1
    ends_in_norm = ("original", "relu_preactivation")
    if scaled and not any(
        getattr(stage, "order", "") in ends_in_norm for stage in model.stages
    ):
        yield Problem(
            ("batch_norm", "last_scale"),
            "must be 1 or left out: no block ends in batch norm and an"
            " addition",
            also=(("stages",),),
        )
    if group is not None and norm is None:
        for width in sorted(Counting.of(model).norm_channels):
            if width % group.channels:
                yield Problem(
                    ("group_norm", "channels"),
                    f"must divide {width}, the channels of a norm",
                    also=(("stages",),),
                )
                return


def activations_agree(model: "ModelSpec") -> Iterator[Problem]:
    """Something activates what the stem emits."""
    stem, first = model.stem, model.stages[0]
    order = getattr(first, "order", "")
    if stem is not None and not stem.activation:
        if not order.endswith("preactivation"):
            yield Problem(
                ("stem", "activation"),
                "must be true or left out: the blocks that follow do not begin"
                " with an activation",
                also=(("stages", 0),),
            )
        elif stem.pool is not None:
            yield Problem(
                ("stem", "activation"),
                "must be true or left out where a pool follows",
                also=(("stem", "pool"),),
            )


def residual_fields_have_residuals(model: "ModelSpec") -> Iterator[Problem]:
    """Survival and Fixup are about residuals."""
    kinds = [isinstance(stage, ResidualStage) for stage in model.stages]
    if model.survival < 1 and not any(kinds):
        yield Problem(
            ("survival",),
            "must be 1 or left out: no stage is residual",
            also=(("stages",),),
        )
    if not model.fixup:
        return
    for i, stage in enumerate(model.stages):
        if getattr(stage, "order", "") != "original":
            yield Problem(
                ("initialisation",),
                "must be he: Fixup is for residual stages of the original"
                " order",
                also=(("stages", i),),
            )
    for field in ("batch_norm", "group_norm"):
        if getattr(model, field) is not None:
            yield Problem(
                (field,),
                "must be null: Fixup takes the place of a norm",
                also=(("initialisation",),),
                received=False,
            )


def dilations_follow(model: "ModelSpec") -> Iterator[Problem]:
    """A stage keeps the dilation of the one before, or doubles it."""
    before = 1
    for i, stage in enumerate(model.stages):
        if not isinstance(stage, ResidualStage):
            continue
        if stage.dilation not in (1, before, 2 * before):
            allowed = f"{before} or {2 * before}"
            yield Problem(
                ("stages", i, "dilation"),
                f"must be {'1, ' if before > 1 else ''}{allowed}: none, the"
                " dilation of the stage before, or twice that in the place of"
                " stride 2",
            )
        before = stage.dilation


MODEL_CHECKS = (
    strides_divide_sizes,
    norms_agree,
    activations_agree,
    residual_fields_have_residuals,
    dilations_follow,
    stages_take_what_comes,
    memory_can_hold_it,
)


def _size(height: int, width: int) -> str:
    return f"{height}" if height == width else f"{height}×{width}"
