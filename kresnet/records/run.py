"""run.json: what a run is, how far it came, and what came out."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field, model_validator

from kresnet.architecture import StageFields
from kresnet.documents import (
    Expected,
    Fields,
    Flag,
    Integer,
    Number,
    Problem,
    raise_problems,
)
from kresnet.errors import BadDataError, InputMissingError
from kresnet.files import visible_names
from kresnet.records.identity import Identity
from kresnet.records.typed_file import read_typed
from kresnet.spec import Spec, load_spec, recipe_digest

RUN = "run.json"
Count = Annotated[Integer, Field(ge=0)]
Percent = Annotated[Number, Field(ge=0, le=100)]
# The loss of a network that diverged at its end may not be finite.
Loss = Annotated[Number, Field(allow_inf_nan=True)]
Amount = Annotated[Number, Field(ge=0)]
Texts = Annotated[dict[str, str], Expected("a mapping of strings")]
Integers = Annotated[tuple[Integer, ...], Expected("a list of integers")]
Names = Annotated[tuple[str, ...], Expected("a list of strings")]


class Hardware(Fields):
    """The machine.

    Attributes:
        flags: Environment variables that the arithmetic depends on.
        devices: The names of all devices, used or not.
    """

    host: str
    platform: str
    processor: str
    cores: Count | None = None
    flags: Texts
    devices: Names


class Conditions(Fields):
    """Options and devices that the bits of a result depend on.

    Attributes:
        devices: The number of devices and their kind, such as "2 gpu".
        device_ids: Their numbers; `None` for the first ones.
        processes: The number of processes that trained together.
    """

    rematerialize: Flag = False
    deterministic: Flag = False
    devices: str = "1 cpu"
    device_ids: Integers | None = None
    processes: Count = 1


class BestValidation(Fields):
    """The iteration of the lowest validation error."""

    iteration: Count
    validation_error: Percent
    test_error: Percent | None = None


class Deepened(Fields):
    """The run whose weights this one began with, and its errors then.

    Attributes:
        run: The folder of that run, as it was named.
        name: The name of its spec.
        iteration: Its last iteration.
        run_test_error: Its test error.
        validation_error: The deepened network's error at iteration 0.
        test_error: The same on the test images.
        test_loss: Mean cross-entropy on the test images, at iteration 0.
    """

    run: str
    name: str
    iteration: Count
    run_test_error: Percent | None = None
    validation_error: Percent | None = None
    test_error: Percent | None = None
    test_loss: Loss | None = None


class BegunWith(Fields):
    """The network whose weights this run began with.

    Attributes:
        folder: The folder of that run or import, as it was named.
        name: The name of its spec.
        iteration: The updates that were done to it.
        weights: SHA-256 of its weights.
        drawn: Layers whose weights were drawn anew.
        kept_transforms: Whether the transforms' statistics are its own, too.
    """

    folder: str
    name: str
    iteration: Count
    weights: str
    drawn: Names = ()
    kept_transforms: Flag = False


class RunRecord(Fields):
    """All that run.json says.

    Attributes:
        name: The name of the spec.
        iteration: Updates done when it was written.
        checkpoint: Iteration of the last checkpoint; `None` before the first.
        message: Why the run diverged.
        started: The time of the first start, UTC, ISO 8601.
        finished: The time of the end.
        seconds: Time taken, without the interruptions.
        cpu_seconds: The same time of all processors together.
        images_per_second: The speed of training.
        warm_up_ended_at: The iteration at which the warm-up ended.
        class_names: Those of the data, in the order of the labels.
    """

    identity: Identity
    name: str
    status: Literal["running", "stopped", "diverged", "finished"]
    iteration: Count
    checkpoint: Count | None = None
    message: str | None = None
    started: str
    finished: str | None = None
    seconds: Amount
    cpu_seconds: Amount
    images_per_second: Amount | None = None
    cpu_seconds_per_1000_images: Amount | None = None
    cpu_seconds_to_first_iteration: Amount | None = None
    warm_up_ended_at: Count | None = None
    test_error: Percent | None = None
    test_loss: Loss | None = None
    best_validation: BestValidation | None = None
    deepened: Deepened | None = None
    begun_with: BegunWith | None = None
    versions: Texts
    hardware: Hardware
    options: Conditions
    class_names: Names | None = None

    @model_validator(mode="after")
    def _agrees(self) -> "RunRecord":
        raise_problems((_identity_is_known,), self)
        return self


def _identity_is_known(record: RunRecord) -> Iterator[Problem]:
    for name in ("seed", "data"):
        if getattr(record.identity, name) is None:
            yield Problem(("identity", name), "must be known")


@dataclass(frozen=True)
class RecordedRun:
    """A run folder without its weights, which may be elsewhere or gone.

    Attributes:
        folder: Path of the run folder.
        spec: The spec, as it was run.
        record: What run.json says.
        identity: The identity of the run, which knows its spec.
    """

    folder: Path
    spec: Spec
    record: RunRecord
    identity: Identity

    @property
    def seed(self) -> int:
        """Seed of the run."""
        # A record has it: it is checked when it is made or read.
        return cast(int, self.record.identity.seed)

    @property
    def finished(self) -> bool:
        """Whether it came to its last iteration and was measured."""
        return self.record.status == "finished"


def read_recorded_run(
    path: Path | str, stages: Sequence[type[StageFields]] = ()
) -> RecordedRun:
    """Reads run.json and spec.yaml of a run folder.

    Args:
        path: The folder.
        stages: Kinds of stages of your own; see `load_spec`.

    Raises:
        InputMissingError: It is no run folder; says what is there.
        BadDataError: run.json is damaged, or spec.yaml is another spec than
            the run's, or the run is finished before its last iteration.
        SpecError: spec.yaml is wrong.
    """
    folder = Path(path)
    if not os.path.isdir(folder):  # whose name may be too long for one
        raise InputMissingError(f"{folder}: there is no such run folder")
    record = read_typed(folder / RUN, RunRecord)
    if record is None:
        raise InputMissingError(
            f"{folder}: not a run folder: it has no run.json."
            f" {what_is_there(folder)}"
        )
    file = folder / "spec.yaml"
    spec = load_spec(file, stages=stages)
    if recipe_digest(spec) != record.identity.recipe:
        raise BadDataError(
            f"{file}: was changed since the run was trained by it: run.json"
            " has the digest of another spec; put it back"
        )
    check_finished(folder, record, spec)
    return RecordedRun(folder, spec, record, record.identity.with_spec(spec))


def check_finished(folder: Path, record: RunRecord, spec: Spec) -> None:
    """Raises a BadDataError for a run finished before its last iteration."""
    last = spec.training.iterations
    if record.status == "finished" and record.iteration != last:
        raise BadDataError(
            f"{folder / RUN}: iteration: must be {last}, the last one of the"
            f" spec, where status is finished. Received: {record.iteration}"
        )


def what_is_there(folder: Path) -> str:
    """What a folder holds, for a message that says what it lacks."""
    return f"Found: {', '.join(visible_names(folder)) or 'nothing'}"
