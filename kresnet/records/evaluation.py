"""The files of `kresnet evaluate`: what was measured, and how."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kresnet.documents import (
    Expected,
    Fields,
    Flag,
    Integer,
    Problem,
    raise_problems,
)
from kresnet.files import replace_file
from kresnet.records.identity import Identity, Seed
from kresnet.records.run import Count, Integers, Loss, Names, Percent
from kresnet.records.typed_file import as_json, read_typed

# The names of their files.
EVALUATIONS, ENSEMBLES = "evaluation-*.json", "ensemble-*.json"
Images = Annotated[Integer, Field(ge=0, le=2**53)]
Split = Literal["test", "validation", "train"]
ViewName = Literal[
    "single", "ten-crop", "dense", "multi-crop", "dense-and-crop"
]
Counts = Annotated[tuple[Images, ...], Expected("a list of integers")]


class Protocol(Fields):
    """How it was measured.

    Attributes:
        data: The title of the data set.
        images: The number of images.
        view: What the network saw of an image.
        shorter_sides: The lengths that its shorter side was resized to, in
            pixels; `None` where images have one size.
        mirrored: Whether mirror images were seen too.
        views: All this in words.
        batch_norm_statistics: The origin of the statistics, in words.
        network: Says that it was an export; `None` for a run.
        iteration: Updates done.
        seed: That of the run; `None` for an import.
    """

    data: str
    split: Split
    images: Count
    view: ViewName = "single"
    shorter_sides: Integers | None = None
    mirrored: Flag = False
    views: str
    batch_norm_statistics: str
    network: str | None = None
    iteration: Count
    seed: Seed | None = None


class Measured(Fields):
    """What was measured on the images of a split.

    Attributes:
        loss: Mean cross-entropy in nats.
        error: Top-1 error, percent.
        top5_error: Top-5 error, percent.
        class_error: Error among the images of each class, percent, by name.
        confusion: Counts, `confusion[true][predicted]`.
        class_names: All of them, in the order of the labels, also those of
            which the split has no image.
    """

    loss: Loss
    error: Percent
    top5_error: Percent
    class_error: dict[str, Percent]
    confusion: Annotated[
        tuple[Counts, ...], Expected("a list of lists of integers")
    ]
    class_names: Names

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        raise_problems((_matrix_is_square,), self)
        return self


class Evaluation(Measured):
    """What was measured of one network, and how.

    Attributes:
        identity: That of the network's run.
        protocol: How it was measured.
    """

    identity: Identity
    protocol: Protocol


class Member(Evaluation):
    """What was measured of one network of an ensemble.

    Attributes:
        name: The name of its spec.
    """

    name: str

    @property
    def title(self) -> str:
        """What it is called: "resnet20, seed 0"; an import has no seed."""
        seed = self.protocol.seed
        return self.name if seed is None else f"{self.name}, seed {seed}"


class EnsembleEvaluation(Measured):
    """What was measured of the mean of several networks' probabilities.

    Attributes:
        members: Each by itself, on the same images.
    """

    members: Annotated[
        tuple[Member, ...], Expected("a list of evaluations")
    ] = Field(min_length=1)


def _matrix_is_square(evaluation: Measured) -> Iterator[Problem]:
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


def read_ensemble(path: Path) -> EnsembleEvaluation | None:
    """Reads the evaluation of an ensemble, as `read_evaluation` does."""
    return read_typed(path, EnsembleEvaluation)


def write_evaluation(path: Path, evaluation: Measured) -> None:
    """Writes an evaluation; errors as of `replace_file`."""
    replace_file(path, as_json(evaluation))
