"""What a network is made of, and where in it a block stands."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, Self

# What flows through a network: a shape while counting, a Keras tensor while
# building.
Tensor = Any
# Says what stands at a place.
Definition = Callable[[Tensor, "Parts"], Tensor]


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

    def define(self, definition: Definition, x: Tensor) -> Tensor:
        """Lets `definition(x, parts)` say what stands at this place."""
        return definition(x, self)

    def layer(
        self,
        x: Tensor,
        width: int,
        kernel: int,
        stride: int,
        number: str = "",
        *,
        norm: bool = True,
        **more: Any,
    ) -> Tensor:
        """A layer as the paper means it: convolution and batch norm.

        Args:
            x: What it is applied to.
            width: Filters.
            kernel: Side of the square kernel, in pixels.
            stride: In pixels.
            number: The number of the layer at its place.
            norm: Whether batch norm follows.
            **more: As of `convolution`.
        """
        conv = f"conv{number}" if number else ""
        x = self.convolution(x, width, kernel, stride, conv, **more)
        return self.norm(x, f"bn{number}") if norm else x

    @abc.abstractmethod
    def channels(self, x: Tensor) -> int:
        """The number of channels of a map."""

    @abc.abstractmethod
    def convolution(
        self,
        x: Tensor,
        width: int,
        kernel: int,
        stride: int,
        name: str,
        *,
        groups: int = 1,
        dilation: int = 1,
        bias: bool = False,
    ) -> Tensor:
        """A square convolution, padded evenly.

        Args:
            x: What it is applied to.
            width: Filters.
            kernel: Side of the square kernel, in pixels.
            stride: In pixels; 1 where it is dilated.
            name: Of the layer.
            groups: Parts that channels and filters are cut into; each filter
                sees the channels of its own part alone.
            dilation: The distance of a kernel's neighbours, in pixels.
            bias: Whether every filter has one.
        """

    @abc.abstractmethod
    def norm(self, x: Tensor, name: str) -> Tensor:
        """Batch normalisation."""

    @abc.abstractmethod
    def relu(self, x: Tensor, name: str) -> Tensor:
        """The activation."""

    @abc.abstractmethod
    def sigmoid(self, x: Tensor, name: str) -> Tensor:
        """The activation of gates."""

    @abc.abstractmethod
    def pad_channels(
        self, x: Tensor, width: int, stride: int, name: str
    ) -> Tensor:
        """Subsampling, and channels of zeros up to `width`: shortcut A."""

    @abc.abstractmethod
    def add(self, shortcut: Tensor, residual: Tensor, name: str) -> Tensor:
        """The sum at the end of a residual block."""

    @abc.abstractmethod
    def multiply(self, x: Tensor, gate: Tensor, name: str) -> Tensor:
        """A map times its gate: another map, or a number for each channel.

        The layers of the gate do not count, as those of projections.
        """

    @abc.abstractmethod
    def average(self, x: Tensor, name: str = "") -> Tensor:
        """The mean of each channel over its map."""

    @abc.abstractmethod
    def flatten(self, x: Tensor, name: str) -> Tensor:
        """All values of a map as channels, without rows and columns."""

    @abc.abstractmethod
    def dense(self, x: Tensor, width: int, name: str = "") -> Tensor:
        """A layer with a weight for each input and output, and biases."""
