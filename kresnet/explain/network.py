"""The network: section 4.2 and its counts."""

from collections.abc import Iterator

from kresnet.architecture import (
    BottleneckStage,
    ConvolutionsStage,
    ModelSpec,
    Pool,
    StageFields,
    census,
)
from kresnet.explain.point import DEVIATES, EQUIVALENT, Point, equal_if
from kresnet.spec import Spec

# Layers and parameters as table 6 prints them, by n.
PAPER_COUNTS = {
    3: (20, "0.27"),
    5: (32, "0.46"),
    7: (44, "0.66"),
    9: (56, "0.85"),
    18: (110, "1.7"),
    200: (1202, "19.4"),
}
PLAIN_N = (3, 5, 7, 9, 18)  # 18: mentioned below figure 6, not shown
STAGES = [(16, 1), (32, 2), (64, 2)]  # width, stride


def paper_network(model: ModelSpec) -> str | None:
    """The shipped name of the paper's CIFAR-10 network that this is.

    Returns:
        Such as "resnet20" or "plain56"; `None` if the paper has none such.
    """
    n, kinds = paper_n(model), _kinds(model)
    if n is None or kinds not in ({"plain"}, {"basic A"}):
        return None
    if kinds == {"plain"}:
        return f"plain{6 * n + 2}" if n in PLAIN_N else None
    return f"resnet{6 * n + 2}" if n in PAPER_COUNTS else None


def paper_n(model: ModelSpec) -> int | None:
    """The n of section 4.2, for any shortcuts; `None` for other shapes."""
    stem, blocks = model.stem, {stage.blocks for stage in model.stages}
    same = (
        tuple(model.input) == (32, 32, 3)
        and stem is not None
        and stem.model_dump(exclude_defaults=True)
        == {"kernel": 3, "width": 16, "stride": 1}
        and [(s.width, s.stride) for s in model.stages] == STAGES
        and {s.block for s in model.stages} in ({"plain"}, {"basic"})
        and len(blocks) == 1
        and model.classes == 10
        and all(_of_the_paper(s) for s in model.stages)
        and model.initialisation == "he"
        and model.head is None
        and model.survival == 1
    )
    return blocks.pop() if same else None


def network_points(spec: Spec) -> Iterator[Point]:
    """Architecture, counts, shortcuts, initialisation."""
    model = spec.model
    yield Point(
        "architecture",
        "32×32×3 images; a 3×3 convolution with 16 filters; three stages of 2n"
        " 3×3 convolutions with 16, 32 and 64 filters, the first of stages 2"
        " and 3 with stride 2; global average pooling; 10 classes",
        _architecture(model),
        equal_if(paper_n(model) is not None),
    )
    yield _counts(model)
    yield _shortcuts(model)
    yield Point(
        "initialisation",
        "normal with variance 2 / fan_in (He et al., Delving deep into"
        " rectifiers), all nets from scratch",
        "untruncated normal with variance 2 / fan_in for every kernel, the"
        " classifier's included; biases 0"
        if model.initialisation == "he"
        else "Fixup (Zhang et al. 2019)",
        equal_if(model.initialisation == "he"),
        source="sections 3.4 and 4.2",
    )


def _kinds(model: ModelSpec) -> set[str]:
    return {stage.kind for stage in model.stages}


def _architecture(model: ModelSpec) -> str:
    """The places of a network in words."""
    stem, head = model.stem, model.head
    parts = [f"{'×'.join(map(str, model.input))} images"]
    if stem:
        text = (
            f"a {stem.kernel}×{stem.kernel} convolution with {stem.width}"
            f" filters, stride {stem.stride}"
        )
        if not stem.activation:
            text += ", without an activation"
        parts.append(text + _pool(stem.pool))
    for s in model.stages:
        text = (
            f"{s.blocks} {s.block} block{'s' if s.blocks > 1 else ''} with"
            f" {s.width} filters, stride {s.stride}"
        )
        if isinstance(s, BottleneckStage):
            text += f" in the {s.stride_in}, {s.output} channels emitted"
        if isinstance(s, ConvolutionsStage):
            layers = f"{s.layers} layer{'s' if s.layers > 1 else ''}"
            text = f"{layers} with {s.width} filters" + _pool(s.pool)
        parts.append(text)
    if head:
        parts.append(f"dense layers of {', '.join(map(str, head.dense))}")
    else:
        parts.append("global average pooling")
    return "; ".join([*parts, f"{model.classes:,} classes"])


def _pool(pool: Pool | None) -> str:
    if pool is None:
        return ""
    return (
        f", max pooling {pool.kernel}×{pool.kernel} with stride {pool.stride}"
    )


def _of_the_paper(stage: StageFields) -> bool:
    """Whether it has no field of later papers."""
    later = {"order", "scale", "gate", "shortcut_dropout", "dilation"}
    return (
        not (later | {"dropout"})
        & stage.model_dump(exclude_defaults=True).keys()
    )


def _counts(model: ModelSpec) -> Point:
    counted, n = census(model), paper_n(model)
    plain = _kinds(model) == {"plain"}
    here = (
        f"{counted.layers:,} layers, {counted.parameters:,} parameters,"
        f" {counted.multiply_adds / 1e6:,.2f} M multiply-adds"
    )
    if n is None or n not in (PLAIN_N if plain else PAPER_COUNTS):
        paper = "6n+2 layers with n = 3, 5, 7, 9, 18 or 200"
        return Point("counts", paper, here, DEVIATES)
    layers, millions = PAPER_COUNTS[n]
    decimals = len(millions.split(".")[1])
    same = f"{counted.parameters / 1e6:.{decimals}f}" == millions
    paper = f"n = {n}: {layers:,} layers, {millions} M parameters"
    if plain:
        paper += ", those of the residual network"
    return Point(
        "counts",
        f"{paper}; multiply-adds are not given",
        here,
        equal_if(same and counted.layers == layers),
        source="section 4.2, table 6",
    )


def _shortcuts(model: ModelSpec) -> Point:
    kinds = _kinds(model)
    paper = "option A in all cases; a plain network has none"
    here = "none" if kinds == {"plain"} else ", ".join(sorted(kinds))
    grade = equal_if(kinds in ({"plain"}, {"basic A"}))
    if grade == DEVIATES and kinds <= {"basic A", "basic B", "basic C"}:
        here += "; the paper compares A, B and C on ImageNet (table 3)"
    return Point("shortcuts", paper, here, grade)


def batch_norm_points(spec: Spec) -> Iterator[Point]:
    """The place of batch norm, and its statistics in training."""
    norm, batch = spec.model.batch_norm, spec.training.batch_size
    if norm is None:
        yield Point(
            "batch norm, place",
            "after each convolution and before the activation",
            "there is none",
            DEVIATES,
            source="section 3.4",
        )
        return
    blocks = {stage.block for stage in spec.model.stages}
    known = blocks <= {"plain", "basic"} and all(
        map(_of_the_paper, spec.model.stages)
    )
    yield Point(
        "batch norm, place",
        "after each convolution and before the activation",
        "the same; on projections too"
        if known
        else f"as in blocks {', '.join(sorted(blocks))}",
        equal_if(known),
        source="section 3.4",
    )
    group = norm.images_per_statistic
    yield Point(
        "batch norm, statistics in training",
        "over the images of one GPU: 64, from a batch of 128 on two GPUs",
        f"over groups of {group}, whatever the number of devices"
        if group
        else f"over the whole batch of {batch:,}",
        EQUIVALENT if (group or batch) == 64 else DEVIATES,
    )
    yield Point(
        "batch norm, ε and moving averages",
        "not stated; the practice of its system (Caffe) is ε = 1e-5 and"
        " momentum 0.9",
        f"ε = {norm.epsilon:g}, momentum {norm.momentum:g}",
        EQUIVALENT
        if (norm.epsilon, norm.momentum) == (1e-5, 0.9)
        else DEVIATES,
    )
