"""The files of `kresnet evaluate`: what was measured, and how."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kresnet.documents import Expected, Fields, Integer, Problem, raise_problems
from kresnet.files import replace_file
from kresnet.records.identity import Identity, Seed
from kresnet.records.run import Count, Loss, Percent
from kresnet.records.typed_file import as_json, read_typed

PATTERN = "evaluation-*.json"
Images = Annotated[Integer, Field(ge=0, le=2**53)]
Split = Literal["test", "validation", "train"]
Counts = Annotated[tuple[Images, ...], Expected("a list of integers")]


class Protocol(Fields):
    """How it was measured.

    Attributes:
        data: The title of the data set.
        images: The number of images.
        views: Which part of an image the network saw, in words.
        batch_norm_statistics: The origin of the statistics, in words.
        network: Says that it was an export; `None` for a run.
        iteration: Updates done.
        seed: That of the run; `None` for an import.
    """

    data: str
    split: Split
    images: Count
    views: str
    batch_norm_statistics: str
    network: str | None = None
    iteration: Count
    seed: Seed | None = None


class Evaluation(Fields):
    """What was measured, and how.

    Attributes:
        identity: That of the network's run.
        loss: Mean cross-entropy in nats.
        error: Top-1 error, percent.
        top5_error: Top-5 error, percent.
        class_error: Error among the images of each class, percent, by name.
        confusion: Counts, `confusion[true][predicted]`.
        class_names: All of them, in the order of the labels, also those of
            which the split has no image.
    """

    identity: Identity
    protocol: Protocol
    loss: Loss
    error: Percent
    top5_error: Percent
    class_error: dict[str, Percent]
    confusion: Annotated[
        tuple[Counts, ...], Expected("a list of lists of integers")
    ]
    class_names: Annotated[tuple[str, ...], Expected("a list of strings")]

    @model_validator(mode="after")
    def _agrees(self) -> "Evaluation":
        raise_problems((_matrix_is_square,), self)
        return self


def _matrix_is_square(evaluation: Evaluation) -> Iterator[Problem]:
    count = len(evaluation.class_names)
    lengths = {len(evaluation.confusion), *map(len, evaluation.confusion)}
    if lengths != {count}:
        yield Problem(
            ("confusion",),
            f"must have a row and a column for each of the {count} classes",
        )
    elif not any(map(any, evaluation.confusion)):
        yield Problem(("confusion",), "must count at least one image")


def read_evaluation(path: Path) -> Evaluation | None:
    """Reads an evaluation; `None` if it is gone. Errors as of `read_typed`."""
    return read_typed(path, Evaluation)


def write_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Writes an evaluation; errors as of `replace_file`."""
    replace_file(path, as_json(evaluation))
