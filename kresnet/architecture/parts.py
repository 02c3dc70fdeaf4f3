"""What a network is made of, and where in it a block stands."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, Self

# What flows through a network: a shape while counting, a Keras tensor while
# building.
Tensor = Any


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a block, or another part of a network, stands.

    Attributes:
        name: The paper's name: conv1, conv2_1 …, pool, fc.
        kind: What stands there in words, such as "basic A".
        stride: The stride of its first convolution.
        stage: The index of its stage, from 0; `None` outside of stages.
        block: The number of the block in its stage, from 1.
        ends_stage: Whether it is the last block of its stage.
    """

    name: str
    kind: str
    stride: int = 1
    stage: int | None = None
    block: int = 0
    ends_stage: bool = False

    def named(self, part: str) -> str:
        """The name of a layer at this place; it is the place's for ""."""
        return f"{self.name}_{part}" if part else self.name


class Parts(abc.ABC):
    """The layers that blocks are defined by, whatever becomes of them.

    One kind of parts counts, another makes Keras layers. A block calls the
    methods of the parts it is given, which know its place. `name` is the name
    of a layer at that place, without the place's own name.

    Attributes:
        place: Where these parts are used.
    """

    place: Place

    def at(self, place: Place) -> Self:
        """The same parts at another place; what they note is shared."""
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__ | {"place": place}
        return other

    def define(
        self, definition: Callable[[Tensor, "Parts"], Tensor], x: Tensor
    ) -> Tensor:
        """Lets `definition(x, parts)` say what stands at this place."""
        return definition(x, self)

    def layer(
        self, x: Tensor, width: int, kernel: int, stride: int, number: str = ""
    ) -> Tensor:
        """A layer as the paper means it: convolution and batch norm."""
        conv = f"conv{number}" if number else ""
        x = self.convolution(x, width, kernel, stride, conv)
        return self.norm(x, f"bn{number}")

    @abc.abstractmethod
    def channels(self, x: Tensor) -> int:
        """The number of channels of a map."""

    @abc.abstractmethod
    def convolution(
        self, x: Tensor, width: int, kernel: int, stride: int, name: str
    ) -> Tensor:
        """A square convolution without bias, padded evenly."""

    @abc.abstractmethod
    def norm(self, x: Tensor, name: str) -> Tensor:
        """Batch normalisation."""

    @abc.abstractmethod
    def relu(self, x: Tensor, name: str) -> Tensor:
        """The activation."""

    @abc.abstractmethod
    def pad_channels(
        self, x: Tensor, width: int, stride: int, name: str
    ) -> Tensor:
        """Subsampling, and channels of zeros up to `width`: shortcut A."""

    @abc.abstractmethod
    def add(self, shortcut: Tensor, residual: Tensor, name: str) -> Tensor:
        """The sum at the end of a residual block."""

    @abc.abstractmethod
    def average(self, x: Tensor) -> Tensor:
        """The mean of each channel over its map."""

    @abc.abstractmethod
    def dense(self, x: Tensor, width: int) -> Tensor:
        """A layer with a weight for each input and output, and biases."""
