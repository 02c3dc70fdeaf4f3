"""The stages of VGG."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from kresnet.architecture.parts import Parts, Placed, Tensor
from kresnet.architecture.pool import Pool
from kresnet.architecture.stage import StageFields, Width
from kresnet.documents import Integer, Path


class ConvolutionsStage(StageFields):
    """3×3 convolutions one after the other, then max pooling.

    Reference:
        Simonyan, Zisserman 2014, table 1.
    """

    block: Literal["convolutions"] = Field(
        description="3×3 layers, then max pooling."
    )
    layers: Integer = Field(ge=1, le=1_000, description="Number of layers.")
    width: Width
    pool: Pool | None = Field(
        default=None, description="Max pooling after the last; null for none."
    )

    # A block is one layer.
    @property  # type: ignore[misc]
    def blocks(self) -> int:  # type: ignore[override]
        """The number of layers."""
        return self.layers

    @property  # type: ignore[misc]
    def stride(self) -> int:  # type: ignore[override]
        """1: pooling takes its place."""
        return 1

    def define(self, x: Tensor, parts: Parts) -> Tensor:
        """One layer, with biases even where batch norm follows, and ReLU."""
        return parts.relu(parts.layer(x, self.width, 3, 1, bias=True), "relu")

    def after(self, number: int, field: Path) -> Iterator[Placed]:
        """The pool."""
        if self.pool:
            yield self.pool.at(f"pool{number}", (*field, "pool"))
