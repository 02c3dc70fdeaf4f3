"""Where a run goes on, and refusing to mix two experiments."""

from collections.abc import Callable
from pathlib import Path

from kresnet.errors import InputMissingError, SpecError
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.records.run import RunRecord, check_finished, read_recorded_run
from kresnet.spec import Spec, differing_fields

Notify = Callable[[str], None]


def is_finished(
    folder: RunFolder, spec: Spec, identity: Identity, notify: Notify
) -> bool:
    """Whether the run in a folder, which need not be locked, is finished.

    The data of `identity` may not be known yet; `notify` is told of fields
    that differ from those of `spec` and may. Others are a SpecError.
    """
    record = _read_same_experiment(folder, spec, identity, notify)
    finished = record is not None and record.status == "finished"
    if finished:
        notify(
            f"{folder.path}: already finished; name another folder with --out"
            " to run it again"
        )
    return finished


def open_checkpoints(
    folder: RunFolder, spec: Spec, identity: Identity, notify: Notify
) -> tuple[Checkpoints, Checkpoint | None]:
    """The checkpoints of a locked folder, and the one to go on from, if any."""
    # Another process may have written since `is_finished`, which has notified.
    record = _read_same_experiment(folder, spec, identity, lambda line: None)
    checkpoints = Checkpoints(
        folder.checkpoints,
        notify,
        folder.check_lock,
        record.identity if record else None,
    )
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
        return checkpoints, None
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
    return checkpoints, newest


def _read_same_experiment(
    folder: RunFolder, spec: Spec, identity: Identity, notify: Notify
) -> RunRecord | None:
    record = folder.read_record()
    if record is None:
        return None
    before, changed = record.identity, []
    if folder.spec.exists():
        run = read_recorded_run(folder.path, spec.model.own_stages)
        before, changed = run.identity, differing_fields(run.spec, spec)
    _refuse_other_experiment(folder.path, before, identity)
    check_finished(folder.path, record, spec)
    if record.status != "finished":
        for line in changed:
            notify(f"{folder.path}: from here on, {line}")
    return record


def _refuse_other_experiment(path: Path, before: Identity, now: Identity):
    if differences := before.differences(now):
        raise SpecError(
            f"{path}: holds a run of another experiment; name another folder"
            " with --out. What differs:",
            *(f"  {line}" for line in differences),
        )
