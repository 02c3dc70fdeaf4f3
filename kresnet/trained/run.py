"""A run, opened for use: its spec, its record and the weights it has."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from kresnet.architecture import StageFields
from kresnet.errors import InputMissingError
from kresnet.machine.surroundings import check_floatx
from kresnet.notices import notify
from kresnet.records.checkpoints import Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.run import RecordedRun, read_recorded_run, what_is_there
from kresnet.trained.layered import Layered


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run(RecordedRun, Layered):
    """A run with at least one sound checkpoint, the one that is used."""


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
    return Run(
        folder=folder,
        spec=run.spec,
        record=run.record,
        identity=run.identity,
        iteration=used.iteration,
        # Records before there were names in them are of data sets with facts.
        class_names=run.record.class_names or run.spec.data.facts.class_names,
        is_last=used.iteration == run.record.checkpoint,
        weights=used.weights,
    )
