"""Explains a spec: its points, and the fields that have none."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import BaseModel

from kresnet.explain.data import data_points
from kresnet.explain.experiments import Experiments
from kresnet.explain.network import batch_norm_points, network_points
from kresnet.explain.papers import experiments_of, printed_network
from kresnet.explain.point import DEVIATES, EQUAL, EQUIVALENT, GRADES, Point
from kresnet.explain.run import run_points
from kresnet.explain.training import training_points
from kresnet.records.run import RunRecord
from kresnet.spec import Spec

# Fields that a point speaks of, or that change nothing about the result.
COVERED = {
    "Spec": "name expect model data training",
    "ModelSpec": "input stem stages classes batch_norm head initialisation",
    "Stem": "kernel width stride activation pool",
    "PlainStage": "block blocks width stride",
    "BasicStage": "block shortcut blocks width stride",
    "BottleneckStage": "block shortcut stride_in blocks width output stride",
    "ConvolutionsStage": "block layers width pool",
    "Pool": "kernel stride padding",
    "Head": "dense",
    "BatchNorm": "images_per_statistic momentum epsilon",
    "DataSpec": "dataset validation transforms views statistics",
    "TrainingSpec": "batch_size iterations learning_rate momentum weight_decay"
    " decay_batch_norm decay_biases warm_up gradient_clip evaluate_every"
    " nesterov",
    "LearningRate": "start divide_by at",
    "WarmUp": "learning_rate until_training_error over limit iterations",
}


def other_points(spec: Spec, paper: Experiments) -> Iterator[Point]:
    """A point for every other field that is not at its default.

    A part of a kind that is not in `COVERED`, such as another block or
    transform, is a deviation as a whole, which its own point has said. A
    network of the paper has the fields that it must have.
    """
    known = printed_network(spec.model, paper) is not None
    for name, value in _others(spec, ""):
        if known and name.startswith("model."):
            continue
        yield Point(
            name,
            "nothing of the kind",
            f"{value}",
            DEVIATES,
            source="sections 3.4 and 4.2",
        )


def _others(part: BaseModel, path: str) -> Iterator[tuple[str, object]]:
    covered = COVERED.get(type(part).__name__)
    if covered is None:
        return
    for name, field in type(part).model_fields.items():
        value, here = getattr(part, name), f"{path}{name}"
        if name not in covered.split():
            if field.is_required() or value != field.get_default():
                yield here, value
            continue
        if isinstance(value, BaseModel):
            yield from _others(value, f"{here}.")
        elif isinstance(value, tuple):
            for i, each in enumerate(value):
                if isinstance(each, BaseModel):
                    yield from _others(each, f"{here}[{i}].")


def measurement_points(spec: Spec, paper: Experiments) -> Iterator[Point]:
    """What a reported test error is."""
    whole, said = paper.dataset == "cifar10", paper.evaluation
    known = printed_network(spec.model, paper)
    if known and (tests := known[1].tests_of(spec)):
        said += f"; of {known[0]}: {', '.join(map(str, tests))}"
    yield Point(
        "evaluation",
        said,
        "one whole image, not augmented" if whole else "one view of each image",
        EQUAL if whole else DEVIATES,
        caveat=not whole,
    )
    if spec.model.batch_norm is not None:
        yield Point(
            "batch norm, statistics in testing",
            "not in the paper; in the authors' release notes: averages over a"
            " large training batch, taken after training",
            "moving averages of training; `kresnet evaluate RUN --batch-norm"
            " re-estimated` takes them as the authors did",
            DEVIATES,
            caveat=True,
            source="release notes",
        )
    yield Point(
        "which result is reported",
        paper.reported,
        "the last iteration; the best by validation is kept apart",
        EQUIVALENT,
    )


def as_text(points: Sequence[Point], width: int = 80) -> str:
    """Three lines or more for every point, and the grades counted."""
    blocks = []
    for point in points:
        lines = [f"{point.topic}: {point.grade}"]
        for name, text in (
            ("paper", f"{point.paper} ({point.source})"),
            ("here", point.here),
        ):
            lines += textwrap.wrap(
                text,
                max(width, 40),
                initial_indent=f"  {name:<7}",
                subsequent_indent=" " * 9,
                break_on_hyphens=False,
            )
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, counted(points)])


def counted(points: Sequence[Point]) -> str:
    """Writes "20 equal, 9 equivalent, 1 deviates"."""
    grades = Counter(point.grade for point in points)
    return ", ".join(f"{grades[grade]} {grade}" for grade in GRADES)


def explain(spec: Spec, record: RunRecord | None = None) -> list[Point]:
    """Compares a spec, or a run of it, with the paper's experiments.

    Those are of He et al. 2015 on CIFAR-10 or on ImageNet, of He et al. 2016
    on CIFAR-10, or of Simonyan, Zisserman 2014; see `experiments_of`.

    Args:
        spec: The spec, as run if it was.
        record: What run.json says, for a run.

    Returns:
        The points, each with the paper's section and a grade.

    Reference:
        He et al. 2015, sections 3.4 and 4; He et al. 2016, arXiv:1603.05027;
        Simonyan, Zisserman 2014, arXiv:1409.1556; conventions of their
        systems where the papers leave them to those.
    """
    paper = experiments_of(spec)
    points = [
        *network_points(spec, paper),
        *batch_norm_points(spec, paper),
        *data_points(spec, paper),
        *training_points(spec, paper),
        *measurement_points(spec, paper),
        *other_points(spec, paper),
    ]
    if record is not None:
        points += run_points(spec, record, paper)
    return [
        replace(point, source=point.source or paper.source) for point in points
    ]
