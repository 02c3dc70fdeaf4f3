"""What residual blocks share: shortcuts, gates, the order of their parts."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from kresnet.architecture.parts import Parts, Tensor
from kresnet.architecture.stage import Blocks, StageFields, Stride, Width
from kresnet.documents import (
    Exact,
    Fields,
    Integer,
    Number,
    Problem,
    raise_problems,
)

# Figure 4 of arXiv:1603.05027 as text. c: convolution, n: norm, r: ReLU.
# Around every convolution of a block, around its last one, after the addition.
ORDERS = {
    "original": ("cnr", "cn", "r"),
    "norm_after_addition": ("cnr", "c", "nr"),
    "relu_before_addition": ("cnr", "cnr", ""),
    "relu_preactivation": ("rcn", "rcn", ""),
    "full_preactivation": ("nrc", "nrc", ""),
}
Rate = Annotated[Number, Field(gt=0, lt=1)]


class Scale(Fields):
    """Constants that both ways are multiplied by before the addition.

    Reference:
        He et al. 2016, arXiv:1603.05027, section 3.1.
    """

    shortcut: Number = Field(ge=0, le=10, description="Of the shortcut.")
    residual: Number = Field(gt=0, le=10, description="Of the residual.")


class Gate(Fields):
    """A gate T = σ(convolution of a block's input) for each value.

    Reference:
        Srivastava et al. 2015, arXiv:1505.00387 (both ways, 3×3); He et al.
        2016, arXiv:1603.05027, sections 3.1 and 3.2 (1×1).
    """

    on: Literal["both", "shortcut"] = Field(
        description="both: the residual times T, the shortcut times 1 - T"
        " (exclusive gating, highway networks). shortcut: the shortcut times"
        " 1 - T alone."
    )
    kernel: Annotated[Literal[1, 3], Exact] = Field(
        description="Side of the gate's kernel, in pixels."
    )
    bias: Number = Field(
        ge=-100,
        le=100,
        description="The bias at the start; below 0, shortcuts are open.",
    )


class Conv(NamedTuple):
    """A convolution of a residual block."""

    width: int
    kernel: int
    strided: bool  # whether the stride of the block is its own
    groups: int = 1
    dropout: float | None = None  # the rate of dropout before it


class ResidualStage(StageFields):
    """What basic blocks and bottlenecks have in common.

    Reference:
        He et al. 2015, sections 3.3 and 4.1 (shortcuts A, B and C); He et al.
        2016, arXiv:1603.05027 (the order, and table 1's shortcuts).
    """

    block: str
    shortcut: Literal["A", "B", "C"] = Field(
        description="A: identity, subsampled and padded with zero channels"
        " where the shape changes. B: a 1×1 projection where the shape"
        " changes. C: projections everywhere."
    )
    blocks: Blocks
    width: Width
    stride: Stride
    order: Literal[
        "original",
        "norm_after_addition",
        "relu_before_addition",
        "relu_preactivation",
        "full_preactivation",
    ] = Field(
        default="original",
        description="Where batch norm and ReLU stand: figure 4 of"
        " arXiv:1603.05027.",
    )
    scale: Scale | None = Field(
        default=None,
        description="Constants that shortcut and residual are multiplied by;"
        " null for none.",
    )
    gate: Gate | None = Field(
        default=None, description="A gate on the shortcut; null for none."
    )
    shortcut_dropout: Rate | None = Field(
        default=None,
        description="Rate of dropout on the shortcut; null for none.",
    )
    dilation: Integer = Field(
        default=1,
        ge=1,
        le=64,
        description="Distance of neighbours in the 3×3 kernels, in pixels:"
        " twice that of the stage before takes the place of stride 2.",
    )

    @model_validator(mode="after")
    def _fields_fit(self) -> "ResidualStage":
        raise_problems((_dilated_is_not_strided,), self)
        return self

    @property
    def kind(self) -> str:
        """The block and its shortcut."""
        return f"{self.block} {self.shortcut}"

    @property
    def emits(self) -> int:
        """The channels that a block emits."""
        return self.convolutions()[-1].width

    def convolutions(self) -> list[Conv]:
        """The convolutions of the residual, from first to last."""
        raise NotImplementedError

    def define(self, x: Tensor, parts: Parts) -> Tensor:
        """The residual and the shortcut, added."""
        each, last, after = ORDERS[self.order]
        convs = self.convolutions()
        words = [*[each] * (len(convs) - 1), last]
        if self.order.endswith("preactivation") and self._shares(x, parts):
            # The first unit and those with a projection activate before the
            # split, or the stem did (arXiv:1603.05027, appendix).
            early, rest = words[0].split("c")
            words[0] = f"c{rest}"
            if parts.place.bare or not parts.place.first:
                x = self._steps(x, early, 1, parts)
        y = x
        for number, word in enumerate(words, start=1):
            y = self._steps(y, word, number, parts)
        if parts.model.fixup:
            y = parts.scalar(y, "factor", factor=True)
        x, y = self._join(x, y, parts)
        x = parts.add(x, y, "add")
        if parts.place.last and self.order.endswith("preactivation"):
            # "An extra activation right after its addition" (same appendix).
            after = "nr" if self.order == "full_preactivation" else "r"
        return self._steps(x, after, 0, parts)

    def _steps(self, x: Tensor, word: str, number: int, parts: Parts) -> Tensor:
        """A convolution, norm and ReLU in the order of a word of `ORDERS`.

        The convolutions are numbered from 1; 0 is after the addition.
        """
        for step in word:
            if step == "c":
                x = self._convolution(x, number, parts)
            elif step == "n":
                norm, scale = parts.model.batch_norm, 1.0
                is_last = number == len(self.convolutions())
                if norm and is_last and word.endswith("cn"):
                    scale = norm.last_scale
                name = f"bn{number}" if number else "out_bn"
                x = parts.norm(x, name, scale)
            else:
                name = f"relu{number}" if number else "out"
                if parts.model.fixup:
                    x = parts.scalar(x, f"{name}_bias")
                x = parts.relu(x, name)
        return x

    def _convolution(self, x: Tensor, number: int, parts: Parts) -> Tensor:
        convs = self.convolutions()
        conv, place = convs[number - 1], parts.place
        if conv.dropout:
            x = parts.dropout(x, conv.dropout, "dropout")
        if parts.model.fixup:
            x = parts.scalar(x, f"conv{number}_bias")
        dilation = self.dilation if conv.kernel > 1 else 1
        if conv.strided and place.block == 1 and conv.kernel > 1:
            dilation = min(dilation, self._dilation_before(parts))
        return parts.convolution(
            x,
            conv.width,
            conv.kernel,
            place.stride if conv.strided else 1,
            f"conv{number}",
            groups=conv.groups,
            dilation=dilation,
            zeros=parts.model.fixup and number == len(convs),
        )

    def _dilation_before(self, parts: Parts) -> int:
        i = parts.place.stage
        before = parts.model.stages[i - 1] if i else None
        return before.dilation if isinstance(before, ResidualStage) else 1

    def _changes_shape(self, x: Tensor, parts: Parts) -> bool:
        """Whether the shape changes, be it by dilation in a stride's place."""
        return (
            parts.place.stride > 1
            or parts.channels(x) != self.emits
            or (
                parts.place.block == 1
                and self.dilation > self._dilation_before(parts)
            )
        )

    def _projects(self, x: Tensor, parts: Parts) -> bool:
        return self.shortcut == "C" or (
            self.shortcut == "B" and self._changes_shape(x, parts)
        )

    def _shares(self, x: Tensor, parts: Parts) -> bool:
        """Whether both ways begin after the first activation."""
        return parts.place.first or (
            self.shortcut != "A" and self._changes_shape(x, parts)
        )

    def _join(
        self, x: Tensor, y: Tensor, parts: Parts
    ) -> tuple[Tensor, Tensor]:
        """Brings the shortcut to the residual's shape; opens the gates."""
        stride = parts.place.stride
        closed = opened = None
        if self.gate:
            opened = parts.convolution(
                x,
                self.emits,
                self.gate.kernel,
                stride,
                "gate",
                bias=float(self.gate.bias),
            )
            opened = parts.sigmoid(opened, "gate_sigmoid")
            closed = parts.complement(opened, "gate_complement")
        if self._projects(x, parts):
            if parts.model.fixup:
                x = parts.scalar(x, "shortcut_bias")
            x = parts.convolution(x, self.emits, 1, stride, "shortcut")
            if self.order != "full_preactivation":
                x = parts.norm(x, "shortcut_bn")
        elif stride > 1 or parts.channels(x) != self.emits:
            x = parts.pad_channels(x, self.emits, stride, "shortcut")
        if self.scale:
            x = parts.scale(x, self.scale.shortcut, "shortcut_scale")
            y = parts.scale(y, self.scale.residual, "residual_scale")
        if self.gate:
            x = parts.multiply(x, closed, "shortcut_gated")
            if self.gate.on == "both":
                y = parts.multiply(y, opened, "residual_gated")
        if self.shortcut_dropout:
            x = parts.dropout(x, self.shortcut_dropout, "shortcut_dropout")
        return x, y

    def problems(self, channels: int) -> Iterator[Problem]:
        """Shortcut A can append channels of zeros but cannot drop channels."""
        if self.shortcut == "A" and self.emits < channels:
            field = "output" if "output" in type(self).model_fields else "width"
            yield Problem(
                (field,),
                f"must be at least {channels}, the width before it: shortcut A"
                " pads with zero channels and cannot drop any; use shortcut B",
                also=(("shortcut",),),
            )


def _dilated_is_not_strided(stage: ResidualStage) -> Iterator[Problem]:
    """Dilation takes the place of a stride."""
    if stage.dilation > 1 and stage.stride > 1:
        yield Problem(
            ("stride",),
            "must be 1 where the stage is dilated",
            also=(("dilation",),),
        )
