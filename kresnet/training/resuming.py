"""Where a run goes on, and refusing to mix two experiments."""

from collections.abc import Callable
from pathlib import Path

from kresnet.errors import InputMissingError, SpecError
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.records.run import RunRecord, read_recorded_run
from kresnet.spec import Spec, differing_fields

Notify = Callable[[str], None]


def read_same_experiment(
    folder: RunFolder, spec: Spec, identity: Identity, notify: Notify
) -> RunRecord | None:
    """Reads the record of the run that is in a folder; `None` if none is.

    `notify` is told of the fields that differ from `spec` and may.

    Raises:
        SpecError: Others differ; it lists them all.
        BadDataError: run.json is damaged, or spec.yaml was changed.
    """
    record = folder.read_record()
    if record is None:
        return None
    before, changed = record.identity, []
    if folder.spec.exists():
        run = read_recorded_run(folder.path, spec.model.own_stages)
        before, changed = run.identity, differing_fields(run.spec, spec)
    _refuse_other_experiment(folder.path, before, identity)
    if record.status != "finished":
        for line in changed:
            notify(f"{folder.path}: from here on, {line}")
    return record


def newest_of_this_experiment(
    folder: RunFolder,
    checkpoints: Checkpoints,
    record: RunRecord | None,
    identity: Identity,
    notify: Notify,
) -> Checkpoint | None:
    """The checkpoint to go on from; `None` where the run begins.

    The folder is locked, its record, if there is one, was compared already,
    and `notify` is told what is unusual.

    Raises:
        SpecError: The checkpoint is another experiment's.
        InputMissingError: The checkpoints of a begun run are gone.
        CannotWriteError: The folder holds what is no run's.
        BadDataError: All checkpoints are damaged, or the newest is another
            run's than run.json.
    """
    there = checkpoints.iterations()
    newest = checkpoints.newest()
    saved_at = record.checkpoint if record else None
    if newest is None:
        if saved_at is not None:
            raise InputMissingError(
                f"{folder.checkpoints}: a checkpoint of iteration {saved_at} "
                "was saved here, and none is left; put it back, or name "
                "another folder with --out"
            )
        if record is None:
            folder.refuse_foreign_files()
        else:
            notify(
                f"{folder.path}: ended before its first checkpoint; beginning "
                "again at iteration 0"
            )
        return None
    _refuse_other_experiment(folder.path, newest.identity, identity)
    if record is None:
        notify(
            f"{folder.record}: missing; going on from the checkpoint, the "
            "times before it are lost"
        )
    elif saved_at is not None and there[-1] < saved_at:
        notify(
            f"{folder.checkpoints}: the one of iteration {saved_at} is gone; "
            f"{saved_at - there[-1]} iterations are lost"
        )
    return newest


def _refuse_other_experiment(path: Path, before: Identity, now: Identity):
    if differences := before.differences(now):
        raise SpecError(
            f"{path}: holds a run of another experiment; name another folder"
            " with --out. What differs:",
            *(f"  {line}" for line in differences),
        )
