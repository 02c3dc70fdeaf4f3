"""What a network is made of, and where in it a block stands."""

import abc
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from kresnet.documents import Path

if TYPE_CHECKING:  # a model is made of definitions in terms of parts
    from kresnet.architecture.model import ModelSpec

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
        field: The path of the field of the model that puts it there.
        stride: The stride of its first convolution, or of its pool.
        stage: The index of its stage, from 0; `None` outside of stages.
        block: The number of the block in its stage, from 1; 0 for a pool.
        ends_stage: Whether it is the last block of its stage.
        first: Whether it is the first block of the network.
        last: Whether it is the last block of the network.
        bare: Whether it takes a convolution that no activation followed.
        survival: The probability that its residual is kept in training.
    """

    name: str
    kind: str
    field: Path = ()
    stride: int = 1
    stage: int | None = None
    block: int = 0
    ends_stage: bool = False
    first: bool = False
    last: bool = False
    bare: bool = False
    survival: float = 1.0

    @property
    def group(self) -> str:
        """The paper's name of its stage, conv2_x …; its own outside of one."""
        stage, _, block = self.name.partition("_")
        return f"{stage}_x" if block else stage

    def named(self, part: str) -> str:
        """The name of a layer at this place; it is the place's for ""."""
        return f"{self.name}_{part}" if part else self.name


# A place, and what stands there.
Placed = tuple[Place, Definition]


class Parts(abc.ABC):
    """The layers that blocks are defined by, whatever becomes of them.

    One kind of parts counts, another makes Keras layers. A block calls the
    methods of the parts it is given, which know its place. `name` is the name
    of a layer at that place, without the place's own name.

    Attributes:
        place: Where these parts are used.
        model: The network that is walked.
    """

    place: Place
    model: "ModelSpec"

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

        `number` is that of the layer at its place; else see `convolution`.
        """
        conv = f"conv{number}" if number else ""
        x = self.convolution(x, width, kernel, stride, conv, **more)
        return self.norm(x, f"bn{number}") if norm else x

    def biased(self, bias: float | bool | None) -> bool:
        """Whether a convolution has biases; see `convolution`."""
        if bias is None:
            return not (self.model.normed or self.model.fixup)
        return bias is not False

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
        bias: float | bool | None = None,
        zeros: bool = False,
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
            bias: Whether every filter has one, or its value at the start.
                `None`: 0 at the start if neither a norm nor Fixup's scalars
                are in the network, which take its place.
            zeros: Whether the kernel is zero at the start.
        """

    @abc.abstractmethod
    def norm(self, x: Tensor, name: str, scale: float = 1.0) -> Tensor:
        """The norm of the network, or `x` where it has none.

        `scale` is what its scales are at the start.
        """

    @abc.abstractmethod
    def scalar(self, x: Tensor, name: str, factor: bool = False) -> Tensor:
        """Adds one number that is learned, or multiplies by one: Fixup's."""

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
        """The sum of a block; in training it may drop the residual."""

    @abc.abstractmethod
    def multiply(self, x: Tensor, gate: Tensor, name: str) -> Tensor:
        """A map times its gate: another map, or a number for each channel.

        The layers of the gate do not count, as those of projections.
        """

    @abc.abstractmethod
    def complement(self, gate: Tensor, name: str) -> Tensor:
        """One minus a gate."""

    @abc.abstractmethod
    def scale(self, x: Tensor, factor: float, name: str) -> Tensor:
        """A map times a constant."""

    @abc.abstractmethod
    def dropout(self, x: Tensor, rate: float, name: str) -> Tensor:
        """In training, each value is 0 with probability `rate`."""

    @abc.abstractmethod
    def max_pool(
        self, x: Tensor, kernel: int, stride: int, padding: str, name: str = ""
    ) -> Tensor:
        """The largest value of each window; see `Pool`."""

    @abc.abstractmethod
    def average(self, x: Tensor, name: str = "") -> Tensor:
        """The mean of each channel over its map."""

    @abc.abstractmethod
    def flatten(self, x: Tensor, name: str) -> Tensor:
        """All values of a map as channels, without rows and columns."""

    @abc.abstractmethod
    def dense(
        self, x: Tensor, width: int, name: str = "", *, zeros: bool = False
    ) -> Tensor:
        """A layer with a weight for each input and output, and biases."""
