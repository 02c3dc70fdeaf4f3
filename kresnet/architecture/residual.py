"""The residual block and its shortcuts."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from kresnet.architecture.parts import Parts, Tensor
from kresnet.architecture.stage import Blocks, StageFields, Stride, Width
from kresnet.documents import Problem


class BasicStage(StageFields):
    """Residual blocks of two 3×3 convolutions, figure 5 (left) of the paper.

    Reference:
        He et al. 2015, sections 3.3 and 4.1 (shortcuts A, B and C), 4.2.
    """

    block: Literal["basic"] = Field(description="Two layers and a shortcut.")
    shortcut: Literal["A", "B", "C"] = Field(
        description="A: identity, subsampled and padded with zero channels"
        " where the shape changes. B: a 1×1 projection where the shape"
        " changes. C: projections everywhere."
    )
    blocks: Blocks
    width: Width
    stride: Stride

    @property
    def kind(self) -> str:
        """The block and its shortcut."""
        return f"{self.block} {self.shortcut}"

    def define(self, x: Tensor, parts: Parts) -> Tensor:
        """Two layers, their input added before the last ReLU."""
        y = parts.layer(x, self.width, 3, parts.place.stride, "1")
        y = parts.relu(y, "relu1")
        y = parts.layer(y, self.width, 3, 1, "2")
        x = self._shortcut(x, parts)
        return parts.relu(parts.add(x, y, "add"), "out")

    def _shortcut(self, x: Tensor, parts: Parts) -> Tensor:
        """Brings the input of a block to the shape of its output."""
        stride = parts.place.stride
        same = stride == 1 and parts.channels(x) == self.width
        if self.shortcut == "C" or (self.shortcut == "B" and not same):
            x = parts.convolution(x, self.width, 1, stride, "shortcut")
            return parts.norm(x, "shortcut_bn")
        return (
            x if same else parts.pad_channels(x, self.width, stride, "shortcut")
        )

    def problems(self, channels: int) -> Iterator[Problem]:
        """Shortcut A can append channels of zeros but cannot drop channels."""
        if self.shortcut == "A" and self.width < channels:
            yield Problem(
                ("width",),
                f"must be at least {channels}, the width before it: shortcut A"
                " pads with zero channels and cannot drop any; use shortcut B",
                also=(("shortcut",),),
            )
