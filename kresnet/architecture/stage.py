"""What all kinds of stages have in common."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from kresnet.architecture.parts import Parts, Placed, Tensor
from kresnet.documents import Fields, Integer, Path, Problem

Blocks = Annotated[
    Integer,
    Field(ge=1, le=1_000, description="Number of blocks, the paper's n."),
]
# ResNet-1202 has 200 blocks a stage and 64 filters, VGG-16 has 512 filters.
Width = Annotated[
    Integer,
    Field(ge=1, le=4_096, description="Filters of the 3×3 convolutions."),
]
Stride = Annotated[
    Integer,
    Field(
        ge=1,
        le=2,
        description="Stride of the first convolution; 2 halves the maps.",
    ),
]


class StageFields(Fields):
    """A stage: blocks of one kind, one after the other.

    A kind of stage has the fields `block`, a `Literal` with the name of the
    kind, `blocks`, `width`, `stride` and its own, and the method `define`.
    """

    if TYPE_CHECKING:  # each kind declares them, in the order of its YAML
        block: str
        blocks: int
        width: int
        stride: int

    @property
    def kind(self) -> str:
        """The kind of block in words, as the table of layers shows it."""
        return self.block

    def define(self, x: Tensor, parts: Parts) -> Tensor:
        """Says what a block does to its input, in terms of the parts."""
        raise NotImplementedError

    def after(self, number: int, field: Path) -> Iterator[Placed]:
        """What stands between this stage and the next: nothing.

        The number is that of the stage, as in conv2_x, the field its path.
        """
        yield from ()

    def problems(self, channels: int) -> Iterator[Problem]:
        """Yields what is wrong with the stage after so many channels.

        Paths are relative to the stage.
        """
        yield from ()
