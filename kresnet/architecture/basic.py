"""The basic residual block."""

from typing import Literal

from pydantic import Field

from kresnet.architecture.residual import Conv, Rate, ResidualStage


class BasicStage(ResidualStage):
    """Residual blocks of two 3×3 convolutions, figure 5 (left) of the paper.

    Reference:
        He et al. 2015, sections 3.3 and 4.1 (shortcuts A, B and C), 4.2;
        Zagoruyko, Komodakis 2016, section 2 (width, dropout).
    """

    block: Literal["basic"] = Field(description="Two layers and a shortcut.")
    dropout: Rate | None = Field(
        default=None,
        description="Rate of dropout before the second layer; null for none.",
    )

    def convolutions(self) -> list[Conv]:
        """Two layers of the same width."""
        last = Conv(self.width, 3, False, dropout=self.dropout)
        return [Conv(self.width, 3, True), last]
