"""The plain block."""

from typing import Literal

from pydantic import Field

from kresnet.architecture.parts import Parts, Tensor
from kresnet.architecture.stage import Blocks, StageFields, Stride, Width


class PlainStage(StageFields):
    """Blocks of two 3×3 convolutions without shortcuts.

    Reference:
        He et al. 2015, sections 3.3 (plain network) and 4.2.
    """

    block: Literal["plain"] = Field(description="Two layers, no shortcut.")
    blocks: Blocks
    width: Width
    stride: Stride

    def define(self, x: Tensor, parts: Parts) -> Tensor:
        """Two layers, each followed by ReLU."""
        x = parts.layer(x, self.width, 3, parts.place.stride, "1")
        x = parts.relu(x, "relu1")
        x = parts.layer(x, self.width, 3, 1, "2")
        return parts.relu(x, "out")
