"""Fields of a spec that the other points do not speak of."""

from collections.abc import Iterator

from pydantic import BaseModel

from kresnet.explain.point import DEVIATES, Point
from kresnet.spec import Spec

# Those that a point speaks of, or that change nothing about the result.
COVERED = {
    "Spec": "name expect model data training",
    "ModelSpec": "input stem stages classes batch_norm",
    "Stem": "kernel width stride",
    "PlainStage": "block blocks width stride",
    "BasicStage": "block shortcut blocks width stride",
    "BatchNorm": "images_per_statistic momentum epsilon",
    "DataSpec": "dataset validation transforms",
    "TrainingSpec": "batch_size iterations learning_rate momentum weight_decay"
    " decay_batch_norm decay_biases warm_up gradient_clip evaluate_every",
    "LearningRate": "start divide_by at",
    "WarmUp": "learning_rate until_training_error over limit",
}


def other_points(spec: Spec) -> Iterator[Point]:
    """A point for every other field that is not at its default.

    A part of a kind that is not in `COVERED`, such as another block or
    transform, is a deviation as a whole, which its own point has said.
    """
    for name, value in _others(spec, ""):
        yield Point(
            name,
            "nothing of the kind",
            "sections 3.4 and 4.2",
            f"{value}",
            DEVIATES,
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
