"""A run, opened for use: its spec, its record and the weights it has."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from kresnet.architecture import StageFields
from kresnet.errors import InputMissingError
from kresnet.machine.surroundings import check_floatx
from kresnet.notices import notify
from kresnet.records.checkpoints import Arrays, Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.run import (
    RecordedRun,
    read_recorded_run,
    what_is_there,
)
from kresnet.trained.layered import Layered


@dataclasses.dataclass(frozen=True)
class Run(RecordedRun, Layered):
    """A run with at least one sound checkpoint.

    Attributes:
        checkpoint: The one that is used, the newest if none was chosen.
    """

    checkpoint: Checkpoint

    @property
    def iteration(self) -> int:
        return self.checkpoint.iteration

    @property
    def class_names(self) -> tuple[str, ...]:
        # Records before there were names in them are of data sets with facts.
        return self.record.class_names or self.facts.class_names

    @property
    def is_last(self) -> bool:
        return self.iteration == self.record.checkpoint

    @property
    def weights(self) -> Arrays:
        return self.checkpoint.weights

    def with_weights(self, weights: Arrays, statistics: str) -> Self:
        changed = dataclasses.replace(self.checkpoint, weights=weights)
        return dataclasses.replace(
            self, checkpoint=changed, statistics=statistics
        )


def load_run(
    folder: Path,
    checkpoint: int | None = None,
    stages: Sequence[type[StageFields]] = (),
) -> Run:
    """Opens a run folder, finished or not; see `open_trained`."""
    check_floatx()
    run = read_recorded_run(folder, stages)
    checkpoints = Checkpoints(
        RunFolder(folder).checkpoints, notify, identity=run.identity
    )
    used = checkpoints.read(checkpoint, run.finished)
    if used is None:
        raise InputMissingError(
            f"{folder}: has no checkpoint to use. {what_is_there(folder)}"
        )
    opened = Run(folder, run.spec, run.record, used)
    opened.check_types()
    return opened
