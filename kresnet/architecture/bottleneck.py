"""The bottleneck block."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from kresnet.architecture.residual import Conv, ResidualStage
from kresnet.documents import Integer, Problem


class BottleneckStage(ResidualStage):
    """Blocks of 1×1, 3×3 and 1×1 layers, figure 5 (right) of the paper.

    Reference:
        He et al. 2015, section 4.1; Xie et al. 2017 (groups); Goyal et al.
        2017, section 5.1 (the stride in the 3×3).
    """

    block: Literal["bottleneck"] = Field(
        description="1×1, 3×3 and 1×1 layers, and a shortcut."
    )
    stride_in: Literal["1x1", "3x3"] = Field(
        description="The layer that has the stride. 1x1: the first, as in the"
        ' paper. 3x3: the second, called "v1.5".'
    )
    groups: Integer = Field(
        default=1,
        ge=1,
        le=4_096,
        description="Groups of the 3×3, Xie et al.'s cardinality.",
    )
    output: Integer = Field(
        ge=1,
        le=16_384,
        description="Channels that a block emits, as the papers' tables have"
        " it: four times the width in He et al. 2015.",
    )

    def convolutions(self) -> list[Conv]:
        """Three layers; the second one may be grouped."""
        early = self.stride_in == "1x1"
        return [
            Conv(self.width, 1, early),
            Conv(self.width, 3, not early, self.groups),
            Conv(self.output, 1, False),
        ]

    def problems(self, channels: int) -> Iterator[Problem]:
        """Each group has the same number of channels."""
        yield from super().problems(channels)
        if self.width % self.groups:
            yield Problem(
                ("groups",),
                f"must divide the width, {self.width}",
                also=(("width",),),
            )
