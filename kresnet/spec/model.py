"""The network of a spec: sections 3.3 and 4.2 of the paper, as fields."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kresnet.documents import (
    Expected,
    Fields,
    Integer,
    Number,
    raise_problems,
)
from kresnet.spec.model_checks import MODEL_CHECKS

Blocks = Annotated[
    Integer,
    Field(
        ge=1,
        le=1_000,
        description="Number of blocks, the paper's n; two layers each.",
    ),
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
Size = Annotated[Integer, Field(ge=1, le=1_024)]


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


class PlainStage(Fields):
    """Blocks of two 3×3 convolutions without shortcuts.

    Reference:
        He et al. 2015, sections 3.3 (plain network) and 4.2.
    """

    block: Literal["plain"] = Field(description="Two layers, no shortcut.")
    blocks: Blocks
    width: Width
    stride: Stride


class BasicStage(Fields):
    """Residual blocks of two 3×3 convolutions, figure 5 (left) of the paper.

    Reference:
        He et al. 2015, sections 3.3 and 4.1 (shortcuts A, B and C), 4.2.
    """

    block: Literal["basic"] = Field(description="Two layers and a shortcut.")
    shortcut: Literal["A", "B", "C"] = Field(
        description="A: identity, subsampled and padded with zero channels"
        " where the shape changes. B: a 1×1 projection where the shape"
        " changes. C: projections everywhere."
    )
    blocks: Blocks
    width: Width
    stride: Stride


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


Stage = Annotated[PlainStage | BasicStage, Field(discriminator="block")]


class ModelSpec(Fields):
    """A network: stem, stages, global average pooling, classifier.

    Raises:
        pydantic.ValidationError: If a field is wrong, a stride does not
            divide the maps it meets, or option A would drop channels.

    Reference:
        He et al. 2015, section 4.2.
    """

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
