"""The network: its shape, its counts, and its batch norm."""

from collections.abc import Iterator

from kresnet.architecture import (
    BottleneckStage,
    ConvolutionsStage,
    ModelSpec,
    Pool,
    census,
)
from kresnet.explain.experiments import Experiments
from kresnet.explain.he2015 import CIFAR10
from kresnet.explain.papers import printed_network, shape_known, size_known
from kresnet.explain.point import DEVIATES, EQUAL, EQUIVALENT, Point, equal_if
from kresnet.spec import Spec


def network_points(spec: Spec, paper: Experiments) -> Iterator[Point]:
    """Architecture, counts, shortcuts, initialisation."""
    model = spec.model
    yield Point(
        "architecture",
        paper.architecture,
        _architecture(model),
        equal_if(shape_known(model, paper)),
    )
    yield _counts(model, paper)
    yield _shortcuts(model, paper)
    yield Point(
        "initialisation",
        paper.initialisation[0],
        "untruncated normal with variance 2 / fan_in for every kernel, the"
        " classifier's included; biases 0"
        if model.initialisation == "he"
        else "Fixup (Zhang et al. 2019)",
        equal_if(model.initialisation == paper.initialisation[1]),
    )


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


def _counts(model: ModelSpec, paper: Experiments) -> Point:
    counted = census(model)
    millions, work = counted.parameters / 1e6, counted.multiply_adds / 1e9
    here = (
        f"{counted.layers:,} layers, {counted.parameters:,} parameters,"
        f" {work * 1e3:,.2f} M multiply-adds"
    )
    known = size_known(model, paper)
    if known is None:
        return Point("counts", "those of its networks", here, DEVIATES)
    # 10.2 M are printed for ResNet-1001, whose program has 10.33 M; 3.6e9 and
    # 3.8e9 multiply-adds for 3.64 to 3.77 and 3.86.
    otherwise = EQUIVALENT if printed_network(model, paper) else DEVIATES
    if not known.size:
        return Point("counts", "layers alone are given", here, EQUIVALENT)
    if paper.size == "M parameters":
        decimals = len(known.size.partition(".")[2])
        said = f"{known.size} M parameters; multiply-adds"
        same = f"{millions:.{decimals}f}" == known.size
    else:
        said, same = f"{known.size}e9 multiply-adds; parameters", False
    grade = EQUAL if same else otherwise
    return Point("counts", f"{said} are not given", here, grade)


def _shortcuts(model: ModelSpec, paper: Experiments) -> Point:
    kinds = {stage.kind for stage in model.stages}
    without = kinds <= {"plain", "convolutions"}
    here = "none" if without else ", ".join(sorted(kinds))
    known = printed_network(model, paper)
    if paper is CIFAR10:
        grade = equal_if(bool(known) or kinds in ({"plain"}, {"basic A"}))
        if grade == DEVIATES and kinds <= {"basic A", "basic B", "basic C"}:
            here += "; the paper compares A, B and C on ImageNet (table 3)"
    else:
        # Of another shape, it says so as its architecture.
        grade = equal_if(bool(known) or not shape_known(model, paper))
        if known:
            here += f": its {known[0]}"
    return Point("shortcuts", paper.shortcuts, here, grade)


def batch_norm_points(spec: Spec, paper: Experiments) -> Iterator[Point]:
    """The place of batch norm, and its statistics in training."""
    norm, batch = spec.model.batch_norm, spec.training.batch_size
    orders = {getattr(s, "order", "original") for s in spec.model.stages}
    if norm is None:
        here, known = "there is none", not paper.images_per_statistic
    elif not paper.images_per_statistic:
        here, known = "after each convolution", False
    elif orders == {"original"} or shape_known(spec.model, paper):
        here, known = "the same; on projections too", True
    else:
        here, known = f"as in orders {', '.join(sorted(orders))}", False
    yield Point(
        "batch norm, place",
        paper.batch_norm[0],
        here,
        equal_if(known),
        source=paper.batch_norm[1],
    )
    if norm is None:
        return
    group = norm.images_per_statistic
    yield Point(
        "batch norm, statistics in training",
        paper.statistics,
        f"over groups of {group}, whatever the number of devices"
        if group
        else f"over the whole batch of {batch:,}",
        EQUIVALENT
        if (group or batch) == paper.images_per_statistic
        else DEVIATES,
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
