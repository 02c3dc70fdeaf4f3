"""Layers, trainable parameters and multiply-adds of a network, by arithmetic.

Counted as in the paper:

- Layers are those with weights on the longest path: convolutions and the
  classifier. Projection shortcuts do not count, so a CIFAR-10 net has 6n+2.
- Parameters are the trainable ones: convolutions without bias, scale and
  offset of every batch norm (each projection has its own), the classifier
  with its bias.
- Multiply-adds are those of convolutions, projections included, and of the
  classifier, for one image. Batch norm, additions, activations, pooling and
  biases are left out. The paper calls them FLOPs.

Reference:
    He et al. 2015, section 4.2, tables 1 and 6.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the spec checks `expect` by the census, so it comes first
    from kresnet.spec.model import ModelSpec, Stage

Shape = tuple[int, int, int]

LAYERS_IN_BLOCK = {"plain": 2, "basic": 2}


@dataclass(frozen=True)
class Row:
    """A line of the layer table: the stem, a block, the pool or the classifier.

    Attributes:
        name: The paper's name: conv1, conv2_1 …, pool, fc.
        kind: What it is, such as "basic A".
        output: Height, width and channels of its output.
        layers: Weighted layers in it; projections do not count.
        parameters: Trainable parameters, projections included.
        multiply_adds: For one image, projections included.
    """

    name: str
    kind: str
    output: Shape
    layers: int
    parameters: int
    multiply_adds: int

    @property
    def weighted(self) -> bool:
        """Whether it has layers that count towards the depth."""
        return self.layers > 0


@dataclass(frozen=True)
class Census:
    """The layer table of a network and its totals.

    Attributes:
        rows: Lines of the table, from input to output.
        layers: Weighted layers, 6n+2 for the nets of section 4.2.
        parameters: Trainable parameters.
        multiply_adds: For one image.
    """

    rows: tuple[Row, ...]
    layers: int
    parameters: int
    multiply_adds: int


def census(model: "ModelSpec") -> Census:
    """Counts a network without building it.

    Args:
        model: The `model` part of a spec.

    Returns:
        The census; its numbers are exact.
    """
    rows = tuple(_rows(model))
    return Census(
        rows,
        sum(row.layers for row in rows),
        sum(row.parameters for row in rows),
        sum(row.multiply_adds for row in rows),
    )


def _rows(model: "ModelSpec") -> Iterator[Row]:
    stem = model.stem
    shape = _strided(model.input, stem.width, stem.stride)
    conv = _convolution(stem.kernel, model.input[2], shape)
    yield Row("conv1", f"{stem.kernel}×{stem.kernel}", shape, 1, *conv)

    for i, stage in enumerate(model.stages, start=2):  # conv2_x, conv3_x …
        for j in range(1, stage.blocks + 1):
            row = _block(f"conv{i}_{j}", shape, stage, first=j == 1)
            shape = row.output
            yield row

    channels, classes = shape[2], model.classes
    yield Row("pool", "global average", (1, 1, channels), 0, 0, 0)
    weights = channels * classes
    yield Row("fc", "dense", (1, 1, classes), 1, weights + classes, weights)


def _block(name: str, before: Shape, stage: "Stage", *, first: bool) -> Row:
    """Two 3×3 convolutions and what its shortcut projects."""
    shape = _strided(before, stage.width, stage.stride if first else 1)
    parts = [
        _convolution(3, before[2], shape),
        _convolution(3, stage.width, shape),
    ]
    shortcut = getattr(stage, "shortcut", None)
    if shortcut == "C" or (shortcut == "B" and before != shape):
        parts.append(_convolution(1, before[2], shape))
    kind = f"basic {shortcut}" if shortcut else stage.block
    layers = LAYERS_IN_BLOCK[stage.block]
    return Row(name, kind, shape, layers, *map(sum, zip(*parts, strict=True)))


def _strided(before: Shape, width: int, stride: int) -> Shape:
    """The output of an evenly padded convolution."""
    return (-(-before[0] // stride), -(-before[1] // stride), width)


def _convolution(kernel: int, channels: int, out: Shape) -> tuple[int, int]:
    """Parameters, with those of the batch norm, and multiply-adds."""
    height, width, filters = out
    weights = kernel**2 * channels * filters
    return weights + 2 * filters, weights * height * width


def layer_table(counted: Census) -> str:
    """Returns a census as text: a line for every row, and the totals."""
    cells = [
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
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join(
        [
            *lines,
            "",
            "Multiply-adds, for one image; the paper calls them FLOPs.",
        ]
    )
