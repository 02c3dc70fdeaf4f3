"""Layers, trainable parameters and multiply-adds of a network, by arithmetic.

Counted as in the paper:

- Layers are those with weights on the longest path: convolutions and dense
  layers. Projection shortcuts and gates do not count, so a CIFAR-10 net has
  6n+2.
- Parameters are the trainable ones: kernels, scale and offset of every batch
  norm (each projection has its own), weights and biases of dense layers.
- Multiply-adds are those of convolutions and dense layers, projections and
  gates included, for one image. Batch norm, additions, activations, pooling
  and biases are left out. The paper calls them FLOPs.

Reference:
    He et al. 2015, section 4.2, tables 1 and 6.
"""

import dataclasses
import math
from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING, Self

from kresnet.architecture.parts import Parts, Place
from kresnet.architecture.walk import walk

if TYPE_CHECKING:  # a model is checked by its census
    from kresnet.architecture.model import ModelSpec

Shape = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the layer table: the stem, a block, the pool or the classifier.

    Attributes:
        place: Where it stands.
        output: Height, width and channels of its output.
        layers: Weighted layers in it; projections and gates do not count.
        parameters: Trainable parameters, projections included.
        multiply_adds: For one image, projections included.
        convolutions: Those in it, projections and gates included.
    """

    place: Place
    output: Shape
    layers: int
    parameters: int
    multiply_adds: int
    convolutions: int

    @property
    def name(self) -> str:
        """The paper's name: conv1, conv2_1 …, pool, fc."""
        return self.place.name

    @property
    def kind(self) -> str:
        """What it is, such as "basic A"."""
        return self.place.kind

    @property
    def weighted(self) -> bool:
        """Whether it has layers that count towards the depth."""
        return self.layers > 0


@dataclasses.dataclass(frozen=True)
class Census:
    """The layer table of a network and its totals.

    Attributes:
        rows: Lines of the table, from input to output.
        layers: Weighted layers, 6n+2 for the nets of section 4.2.
        parameters: Trainable parameters.
        multiply_adds: For one image.
        convolutions: All of them, projections and gates included.
    """

    rows: tuple[Row, ...]
    layers: int
    parameters: int
    multiply_adds: int
    convolutions: int


def census(model: "ModelSpec") -> Census:
    """Counts a network without building it; the numbers are exact."""
    rows = tuple(Counting.of(model).rows)
    return Census(
        rows,
        sum(row.layers for row in rows),
        sum(row.parameters for row in rows),
        sum(row.multiply_adds for row in rows),
        sum(row.convolutions for row in rows),
    )


@dataclasses.dataclass(frozen=True)
class Map:
    """What stands for a tensor while counting.

    Attributes:
        shape: Height, width and channels.
        layers: Weighted layers on the longest way to it. Projections are on
            the shorter way, so they do not count in the paper either.
        flattened: The shape before it lost its rows and columns, if it did.
    """

    shape: Shape
    layers: int = 0
    flattened: Shape | None = None

    def smaller(self, stride: int, channels: int) -> Shape:
        """Its shape after a stride, with so many channels."""
        height, width, _ = self.shape
        return -(-height // stride), -(-width // stride), channels


class Counting(Parts):
    """Counts what is defined at each place, a row for each.

    Attributes:
        rows: Lines of the table, in the order of the walk.
        drawing: Where training draws: dropout, and residuals that may be lost.
        norm_channels: How many channels norms have.
    """

    def __init__(self):
        self.rows: list[Row] = []
        self.drawing: list[Place] = []
        self.norm_channels: set[int] = set()
        self._convolutions: list[str] = []
        self._counts: list[tuple[int, int]] = []

    @classmethod
    def of(cls, model: "ModelSpec") -> Self:
        """The parts after a walk over a network."""
        parts = cls()
        walk(model, Map(model.input), parts)
        return parts

    def define(self, definition, x):
        """Counts the place and writes its row."""
        self._counts.clear()
        self._convolutions.clear()
        y = definition(x, self)
        parameters, multiply_adds = map(
            sum, zip((0, 0), *self._counts, strict=True)
        )
        self.rows.append(
            Row(
                self.place,
                y.shape,
                y.layers - x.layers,
                parameters,
                multiply_adds,
                len(self._convolutions),
            )
        )
        return y

    def channels(self, x):
        return x.shape[2]

    def convolution(
        self, x, width, kernel, stride, name, *, groups=1, bias=None, **more
    ):
        shape = x.smaller(stride, width)
        weights = kernel**2 * (x.shape[2] // groups) * width
        work = weights * shape[0] * shape[1]
        self._counts.append((weights + width * self.biased(bias), work))
        self._convolutions.append(name)
        return Map(shape, x.layers + 1)

    def norm(self, x, name, scale=1.0):
        if self.model.normed:
            self._counts.append((2 * x.shape[2], 0))
            self.norm_channels.add(x.shape[2])
        return x

    def scalar(self, x, name, factor=False):
        self._counts.append((1, 0))
        return x

    def relu(self, x, name):
        return x

    def sigmoid(self, x, name):
        return x

    def pad_channels(self, x, width, stride, name):
        return Map(x.smaller(stride, width), x.layers)

    def add(self, shortcut, residual, name):
        if self.place.survival < 1:
            self.drawing.append(self.place)
        return Map(residual.shape, max(shortcut.layers, residual.layers))

    def multiply(self, x, gate, name):
        return x

    def complement(self, gate, name):
        return gate

    def scale(self, x, factor, name):
        return x

    def dropout(self, x, rate, name):
        self.drawing.append(self.place)
        return x

    def max_pool(self, x, kernel, stride, padding, name=""):
        return Map(x.smaller(stride, x.shape[2]), x.layers)

    def average(self, x, name=""):
        return Map((1, 1, x.shape[2]), x.layers)

    def flatten(self, x, name):
        return Map((1, 1, math.prod(x.shape)), x.layers, x.shape)

    def dense(self, x, width, name="", *, zeros=False):
        weights = x.shape[2] * width
        self._counts.append((weights + width, weights))
        return Map((1, 1, width), x.layers + 1)


def layer_table(counted: Census) -> str:
    """Returns a census as text: a line for every row, and the totals."""
    cells: list[tuple[str, ...]] = [
        (
            row.name,
            row.kind,
            "×".join(map(str, row.output)),
            f"{row.layers:,}" if row.weighted else "",
            f"{row.parameters:,}" if row.weighted else "",
            f"{row.multiply_adds:,}" if row.weighted else "",
        )
        for row in counted.rows
    ]
    header = (
        "name",
        "block",
        "output",
        "layers",
        "parameters",
        "multiply-adds",
    )
    totals = (counted.layers, counted.parameters, counted.multiply_adds)
    cells = [header, *cells, ("total", "", "", *(f"{n:,}" for n in totals))]
    lines = ["  ".join(line).rstrip() for line in aligned(cells, range(2, 6))]
    # By which wide nets are named: WRN-28-10 has 26 layers on the longest way.
    aside = counted.convolutions - sum(
        min(row.layers, row.convolutions) for row in counted.rows
    )
    note = (
        f"{counted.convolutions:,} convolutions, {aside:,} of them in shortcuts"
        " and gates: not on the longest way."
    )
    return "\n".join(
        [
            *lines,
            "",
            *([note] if aside else []),
            "Multiply-adds, for one image; the paper calls them FLOPs.",
        ]
    )


def aligned(
    rows: Sequence[Sequence[str]], numbers: Container[int]
) -> Iterator[list[str]]:
    """Cells as wide as their columns; those of numbers begin with spaces."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield [
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
