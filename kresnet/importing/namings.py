"""The namings that are known."""

from kresnet.architecture import (
    BasicStage,
    BottleneckStage,
    ConvolutionsStage,
    ModelSpec,
    Part,
)
from kresnet.importing.naming import Naming

# Constants of ImageNet's colours, of pixels from 0 to 1: torchvision's.
IMAGENET = (
    {"layer": "rescale", "divide_by": 255},
    {
        "layer": "channel_standardize",
        "mean": [0.485, 0.456, 0.406],
        "stddev": [0.229, 0.224, 0.225],
    },
)
# The authors' means, which keras.applications has; of pixels up to 255.
CAFFE = ({"layer": "channel_mean", "mean": [123.68, 116.779, 103.939]},)
# Deviations are means of each image's, and not those of all pixels.
CHENYAOFO = (
    {"layer": "rescale", "divide_by": 255},
    {
        "layer": "channel_standardize",
        "mean": [0.4914, 0.4822, 0.4465],
        "stddev": [0.2023, 0.1994, 0.2010],
    },
)


def _is_resnet(model: ModelSpec, shortcut: str, pooled: bool) -> bool:
    """Whether it has the blocks of the first paper, of one shortcut.

    The nets for ImageNet pool after the stem, those for CIFAR-10 do not.
    """
    return (
        model.stem is not None
        and model.stem.activation
        and (model.stem.pool is not None) == pooled
        and model.batch_norm is not None
        and model.head is None
        and all(
            isinstance(stage, BasicStage | BottleneckStage)
            and stage.order == "original"
            and stage.shortcut == shortcut
            and not (stage.scale or stage.gate)
            for stage in model.stages
        )
    )


def _is_vgg(model: ModelSpec) -> bool:
    """Whether it is a net of VGG's kind: five stages, fc6, fc7, classifier."""
    return (
        model.stem is None
        and model.group_norm is None
        and all(isinstance(stage, ConvolutionsStage) for stage in model.stages)
        and len(model.stages) == 5
        and model.head is not None
        and len(model.head.dense) == 2
    )


def _imagenet_resnet(model: ModelSpec) -> bool:
    return _is_resnet(model, "B", pooled=True)


def _bottlenecks(model: ModelSpec) -> bool:
    """ResNet-50 and deeper; the only ones that keras.applications has."""
    return _imagenet_resnet(model) and all(
        isinstance(stage, BottleneckStage) and stage.groups == 1
        for stage in model.stages
    )


def _torch_resnet(part: Part, classifier: str = "fc") -> str:
    """Torchvision, timm; others call the last layer otherwise."""
    if part.is_classifier:
        return classifier
    if not part.in_stage:
        return "conv1" if part.kind == "convolution" else "bn1"
    layer = {"shortcut": "downsample.0", "shortcut_bn": "downsample.1"}.get(
        part.layer, part.layer
    )
    return f"layer{_stage(part)}.{part.place.block - 1}.{layer}"


def _torch_vgg(part: Part, *head: str) -> str:
    """The layers of the head by their names; the others are numbered."""
    if part.in_head:
        return head[_of_head(part)]
    return f"features.{part.number}"


def _keras_resnet(
    part: Part, block: str, stage: int, number: int, head: str = "predictions"
) -> str:
    """keras.applications and keras-hub, which count from other numbers."""
    if part.is_classifier:
        return head
    kind = "bn" if part.kind == "norm" else "conv"
    if not part.in_stage:
        return f"conv1_{kind}"
    of_shortcut = part.layer.startswith("shortcut")
    layer = "0" if of_shortcut else part.layer.removeprefix(kind)
    name = block.format(_stage(part) - 1 + stage, part.place.block - 1 + number)
    return f"{name}_{layer}_{kind}"


def _keras_vgg(part: Part) -> str:
    if part.in_head:
        return ("fc1", "fc2", "predictions")[_of_head(part)]
    return f"block{_stage(part)}_conv{part.place.block}"


def _stage(part: Part) -> int:
    """The number of its stage, from 1."""
    return (part.place.stage or 0) + 1


def _of_head(part: Part) -> int:
    """Which layer of VGG's head it is, from 0."""
    return {"fc6": 0, "fc7": 1, "fc": 2}[part.place.name]


_KERAS = Naming(
    "keras",
    "keras.applications' ResNet",
    lambda part: _keras_resnet(part, "conv{}_block{}", 2, 1),
    _bottlenecks,
    torch=False,
    epsilon=1.001e-5,
    biases=True,
    bgr=True,
    stride_in="1x1",
    transforms=CAFFE,
)
_ALL = (
    Naming(
        "kresnet",
        "kresnet's own checkpoints",
        lambda part: part.name,
        lambda model: True,
        torch=False,
        epsilon=None,
    ),
    Naming(
        "torchvision",
        "torchvision's and timm's ResNet, ResNeXt and wide ResNet",
        _torch_resnet,
        _imagenet_resnet,
        transforms=IMAGENET,
    ),
    Naming(
        "torchvision-vgg",
        "torchvision's VGG",
        lambda part: _torch_vgg(
            part, "classifier.0", "classifier.3", "classifier.6"
        ),
        _is_vgg,
        transforms=IMAGENET,
    ),
    Naming(
        "timm-vgg",
        "timm's VGG",
        lambda part: _torch_vgg(
            part, "pre_logits.fc1", "pre_logits.fc2", "head.fc"
        ),
        _is_vgg,
        spread=True,
        transforms=IMAGENET,
    ),
    _KERAS,
    _KERAS._replace(
        name="keras-probs",
        about="ResNet of Keras 2.2 and tf.keras 2.0, with a classifier `probs`",
        source=lambda part: _keras_resnet(
            part, "conv{}_block{}", 2, 1, "probs"
        ),
    ),
    Naming(
        "keras-vgg",
        "keras.applications' VGG",
        _keras_vgg,
        lambda model: _is_vgg(model) and not model.normed,
        torch=False,
        bgr=True,
        transforms=CAFFE,
    ),
    Naming(
        "keras-hub",
        "keras-hub's ResNet",
        lambda part: _keras_resnet(part, "stack{}_block{}", 0, 0),
        _imagenet_resnet,
        torch=False,
        transforms=IMAGENET,
    ),
    Naming(
        "akamaster",
        "akamaster's ResNets for CIFAR-10",
        lambda part: _torch_resnet(part, "linear"),
        lambda model: _is_resnet(model, "A", pooled=False),
        centred=True,
        transforms=IMAGENET,
    ),
    Naming(
        "chenyaofo",
        "chenyaofo's ResNets for CIFAR-10",
        _torch_resnet,
        lambda model: _is_resnet(model, "B", pooled=False),
        transforms=CHENYAOFO,
    ),
)
NAMINGS = {naming.name: naming for naming in _ALL}
