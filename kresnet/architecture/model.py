"""The network of a spec: sections 3.3 and 4.2 of the paper, as fields."""

import functools
import operator
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, create_model, model_validator

from kresnet.architecture.basic import BasicStage
from kresnet.architecture.bottleneck import BottleneckStage
from kresnet.architecture.census import Counting
from kresnet.architecture.convolutions import ConvolutionsStage
from kresnet.architecture.model_checks import MODEL_CHECKS
from kresnet.architecture.parts import Parts, Place, Placed, Tensor
from kresnet.architecture.plain import PlainStage
from kresnet.architecture.pool import Pool
from kresnet.architecture.residual import Rate
from kresnet.architecture.stage import StageFields, Stride, Width
from kresnet.documents import (
    Expected,
    Fields,
    Flag,
    Integer,
    Number,
    Problem,
    raise_problems,
)

Size = Annotated[Integer, Field(ge=1, le=1_024)]


def kernel_is_odd(stem: "Stem") -> Iterator[Problem]:
    """An even kernel has no middle and cannot be padded evenly."""
    if stem.kernel % 2 == 0:
        yield Problem(("kernel",), "must be 1, 3, 5 or 7")


class Stem(Fields):
    """The first convolution, conv1: convolution, batch norm, ReLU.

    Reference:
        He et al. 2015, section 4.2: 3×3, 16 filters, stride 1 on CIFAR-10;
        table 1: 7×7, 64 filters, stride 2, then max pooling, on ImageNet.
    """

    kernel: Integer = Field(
        ge=1, le=7, description="Side of the square kernel, in pixels; odd."
    )
    width: Width
    stride: Stride
    activation: Flag = Field(
        default=True,
        description="Whether batch norm and ReLU follow. false: the first"
        " block, of pre-activation, begins with them.",
    )
    pool: Pool | None = Field(
        default=None, description="Max pooling after it; null for none."
    )

    @model_validator(mode="after")
    def _fields_fit(self) -> "Stem":
        raise_problems((kernel_is_odd,), self)
        return self

    def define(self, x: Tensor, parts: Parts) -> Tensor:
        """One layer and ReLU."""
        norm = self.activation
        x = parts.layer(x, self.width, self.kernel, self.stride, norm=norm)
        if self.activation and parts.model.fixup:
            x = parts.scalar(x, "relu_bias")
        return parts.relu(x, "relu") if self.activation else x


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
        ge=0, lt=1, description="Part of a moving average that an update keeps."
    )
    epsilon: Number = Field(gt=0, lt=1, description="Added to the variance.")
    last_scale: Number = Field(
        default=1.0,
        ge=0,
        le=100,
        description="What the scales of each residual's last batch norm are at"
        " the start. 0: blocks begin as the identity (Goyal et al. 2017).",
    )


class GroupNorm(Fields):
    """Group normalisation in the place of batch norm.

    Reference:
        Wu, He 2018, arXiv:1803.08494.
    """

    channels: Integer = Field(
        ge=1, le=4_096, description="Channels of a group."
    )
    epsilon: Number = Field(
        default=1e-5, gt=0, lt=1, description="Added to the variance."
    )


class Head(Fields):
    """Dense layers before the classifier, without pooling.

    Reference:
        Simonyan, Zisserman 2014, section 2.1.
    """

    dense: Annotated[
        tuple[Annotated[Integer, Field(ge=1, le=65_536)], ...],
        Expected("a list of 1 to 8 integers"),
    ] = Field(
        min_length=1, max_length=8, description="Outputs of each, in order."
    )
    dropout: Rate | None = Field(
        default=None, description="Rate of dropout after each; null for none."
    )


STAGES: tuple[type[StageFields], ...] = (
    PlainStage,
    BasicStage,
    BottleneckStage,
    ConvolutionsStage,
)
Stage = Annotated[
    PlainStage | BasicStage | BottleneckStage | ConvolutionsStage,
    Field(discriminator="block"),
]


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
    stem: Stem | None = Field(description="The first layer; null for none.")
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
    batch_norm: BatchNorm | None = Field(
        description="Batch norm after every convolution; null for none."
    )
    group_norm: GroupNorm | None = Field(
        default=None, description="In the place of batch norm; null for none."
    )
    head: Head | None = Field(
        default=None,
        description="Layers before the classifier; null for global average"
        " pooling.",
    )
    initialisation: Literal["he", "fixup"] = Field(
        default="he",
        description="Of kernels. fixup: residual nets without a norm, with"
        " scalars in its place (Zhang et al. 2019).",
    )
    survival: Number = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Probability that a training iteration keeps the residual"
        " of the last block; it falls linearly from 1 over the blocks (Huang"
        " et al. 2016). When testing, residuals are multiplied by it.",
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> "ModelSpec":
        raise_problems(MODEL_CHECKS, self)
        return self

    @property
    def normed(self) -> bool:
        """Whether it has a norm."""
        return self.batch_norm is not None or self.group_norm is not None

    @property
    def images_per_statistic(self) -> int | None:
        """Images that share a statistic; 1 without batch norm."""
        return self.batch_norm.images_per_statistic if self.batch_norm else 1

    @property
    def fixup(self) -> bool:
        """Whether it has the scalars of Fixup."""
        return self.initialisation == "fixup"

    @property
    def draws(self) -> bool:
        """Whether training draws inside the network: dropout, survival."""
        return bool(Counting.of(self).drawing)

    def before_stages(self) -> Iterator[Placed]:
        """What stands where between the images and the stages: the stem."""
        stem = self.stem
        if stem is not None:
            kind = f"{stem.kernel}×{stem.kernel}"
            yield Place("conv1", kind, ("stem",), stem.stride), stem.define
            if stem.pool:
                yield stem.pool.at("pool1", ("stem", "pool"))

    def after_stages(self) -> Iterator[Placed]:
        """What stands where between the stages and the logits."""
        head = self.head
        if head is None:
            yield (
                Place("pool", "global average"),
                lambda x, parts: parts.average(x),
            )
        else:
            first = len(self.stages) + 1  # VGG's fc6 and fc7
            for i, width in enumerate(head.dense):
                place = Place(f"fc{first + i}", "dense", ("head",))
                yield place, functools.partial(self._dense, width, i == 0)
        yield Place("fc", "dense"), self._classify

    def _dense(
        self, width: int, first: bool, x: Tensor, parts: Parts
    ) -> Tensor:
        x = parts.flatten(x, "flatten") if first else x
        x = parts.relu(parts.dense(x, width), "relu")
        dropout = self.head and self.head.dropout
        return parts.dropout(x, dropout, "dropout") if dropout else x

    def _classify(self, x: Tensor, parts: Parts) -> Tensor:
        if self.fixup:
            x = parts.scalar(x, "bias_before")
        return parts.dense(x, self.classes, zeros=self.fixup)


def model_class(stages: tuple[type[StageFields], ...]) -> type[ModelSpec]:
    """The class of networks that may also have stages that kresnet has not.

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
