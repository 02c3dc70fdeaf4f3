"""The network of a spec: sections 3.3 and 4.2 of the paper, as fields."""

import dataclasses
import functools
import operator
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, get_args

from pydantic import Field, create_model, model_validator

from kresnet.architecture.census import census
from kresnet.architecture.parts import Definition, Parts, Place, Tensor
from kresnet.architecture.plain import PlainStage
from kresnet.architecture.residual import BasicStage
from kresnet.architecture.stage import StageFields, Stride, Width
from kresnet.documents import (
    Expected,
    Fields,
    Integer,
    Number,
    Path,
    Problem,
    raise_problems,
)

# ResNet-1202 has 19 million; a billion takes 4 GB, and as much for momentum.
MOST_PARAMETERS = 1_000_000_000

Size = Annotated[Integer, Field(ge=1, le=1_024)]


def kernel_is_odd(stem: "Stem") -> Iterator[Problem]:
    """An even kernel has no middle and cannot be padded evenly."""
    if stem.kernel % 2 == 0:
        yield Problem(("kernel",), "must be 1, 3, 5 or 7")


class Stem(Fields):
    """The first convolution, conv1: convolution, batch norm, ReLU.

    Reference:
        He et al. 2015, section 4.2: 3×3, 16 filters, stride 1 on CIFAR-10.
    """

    kernel: Integer = Field(
        ge=1, le=7, description="Side of the square kernel, in pixels; odd."
    )
    width: Width
    stride: Stride

    @model_validator(mode="after")
    def _fields_fit(self) -> "Stem":
        raise_problems((kernel_is_odd,), self)
        return self

    def define(self, x: Tensor, parts: Parts) -> Tensor:
        """One layer and ReLU."""
        x = parts.layer(x, self.width, self.kernel, self.stride)
        return parts.relu(x, "relu")


class BatchNorm(Fields):
    """Batch normalisation after every convolution, before the activation.

    Reference:
        He et al. 2015, section 3.4. ε = 1e-5 and momentum 0.9 are the
        practice of the paper's system; 64 images are its batch on one GPU.
    """

    images_per_statistic: Integer | None = Field(
        ge=2,
        le=65_536,
        description="Images that share one mean and variance in training;"
        " must divide the batch size. null: the whole batch.",
    )
    momentum: Number = Field(
        ge=0,
        lt=1,
        description="Part of a moving average that an update keeps.",
    )
    epsilon: Number = Field(gt=0, lt=1, description="Added to the variance.")


STAGES: tuple[type[StageFields], ...] = (PlainStage, BasicStage)
Stage = Annotated[PlainStage | BasicStage, Field(discriminator="block")]


class ModelSpec(Fields):
    """A network: stem, stages, global average pooling, classifier.

    Raises:
        pydantic.ValidationError: If a field is wrong, a stride does not
            divide the maps it meets, or option A would drop channels.

    Attributes:
        own_stages: Kinds of stages that kresnet does not have and this class
            knows; see `model_class`.

    Reference:
        He et al. 2015, section 4.2.
    """

    own_stages: ClassVar[tuple[type[StageFields], ...]] = ()

    input: Annotated[
        tuple[Size, Size, Size],
        Expected("a list of 3 integers: height, width, channels"),
    ] = Field(description="Height and width in pixels, and channels.")
    stem: Stem
    stages: Annotated[
        tuple[Stage, ...], Expected("a list of 1 to 8 stages")
    ] = Field(
        min_length=1,
        max_length=8,
        description="conv2_x, conv3_x and so on, in order.",
    )
    classes: Integer = Field(
        ge=2, le=100_000, description="Outputs of the classifier."
    )
    batch_norm: BatchNorm

    @model_validator(mode="after")
    def _parts_fit(self) -> "ModelSpec":
        raise_problems(MODEL_CHECKS, self)
        return self

    def before_stages(self) -> Iterator[tuple[Place, Definition]]:
        """What stands where between the images and the stages: the stem."""
        stem = self.stem
        kind = f"{stem.kernel}×{stem.kernel}"
        yield Place("conv1", kind, stem.stride), stem.define

    def after_stages(self) -> Iterator[tuple[Place, Definition]]:
        """What stands where between the stages and the logits."""
        yield (
            Place("pool", "global average"),
            lambda x, parts: parts.average(x),
        )
        yield (
            Place("fc", "dense"),
            lambda x, parts: parts.dense(x, self.classes),
        )


def model_class(stages: tuple[type[StageFields], ...]) -> type[ModelSpec]:
    """The class of networks that may also have other stages.

    Args:
        stages: Kinds of stages that kresnet does not have.

    Raises:
        ValueError: One is no kind of stage, or its name is taken.
    """
    names = [_name(stage) for stage in (*STAGES, *stages)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                "`stages` must have names of their own. Received: two kinds"
                f" called {name}"
            )
    known = ModelSpec.model_fields["stages"]
    choice: Any = Annotated[
        functools.reduce(operator.or_, (*STAGES, *stages)),
        Field(discriminator="block"),
    ]
    made = create_model(
        "ModelSpec",
        __base__=ModelSpec,
        stages=(
            Annotated[tuple[choice, ...], *known.metadata],
            Field(description=known.description),
        ),
    )
    made.own_stages = stages
    return made


def _name(stage: type[StageFields]) -> str:
    """Returns the name of a kind of stage, as its field `block` has it."""
    if isinstance(stage, type) and issubclass(stage, StageFields):
        names = get_args(stage.model_fields["block"].annotation)
        if len(names) == 1 and isinstance(names[0], str):
            return names[0]
    raise ValueError(
        "`stages` must be classes derived from StageFields, with a field"
        f' `block: Literal["name"]`. Received: {stage!r}'
    )


def strides_divide_sizes(model: ModelSpec) -> Iterator[Problem]:
    """Even padding halves a map exactly only if its sides are even."""
    height, width = model.input[:2]
    chain = [_size(height, width)]
    for row in census(model).rows:
        stride = row.place.stride
        if height % stride or width % stride:
            yield Problem(
                (*_path(row.place), "stride"),
                f"must divide the maps it meets; they go {'→'.join(chain)},"
                f" and {chain[-1]} is not divisible by {stride}",
                also=(("input",),),
            )
            return
        if stride > 1:
            height, width = height // stride, width // stride
            chain.append(_size(height, width))


def stages_take_what_comes(model: ModelSpec) -> Iterator[Problem]:
    """Each kind of stage says which channels it takes."""
    channels = model.input[2]
    before: Path = ("input",)
    for row in census(model).rows:
        place = row.place
        if place.stage is not None and place.block == 1:
            for problem in model.stages[place.stage].problems(channels):
                inside = problem.under(_path(place))
                yield dataclasses.replace(inside, also=(*inside.also, before))
        channels, before = row.output[2], (*_path(place), "width")


def memory_can_hold_it(model: ModelSpec) -> Iterator[Problem]:
    """A mistyped width or number of blocks is found before it is built."""
    parameters = census(model).parameters
    if parameters > MOST_PARAMETERS:
        yield Problem(
            ("stages",),
            f"would have about {parameters:.1e} parameters,"
            f" {4 * parameters / 1e9:,.0f} GB in float32; at most"
            f" {MOST_PARAMETERS:.0e} are allowed",
            also=tuple(
                ("stages", i, field)
                for i in range(len(model.stages))
                for field in ("blocks", "width")
            ),
            received=False,
        )


MODEL_CHECKS = (
    strides_divide_sizes,
    stages_take_what_comes,
    memory_can_hold_it,
)


def _path(place: Place) -> Path:
    """Returns the path of the stem's or the stage's fields."""
    return ("stem",) if place.stage is None else ("stages", place.stage)


def _size(height: int, width: int) -> str:
    return f"{height}" if height == width else f"{height}×{width}"
