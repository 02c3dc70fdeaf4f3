"""Where a run goes on, and refusing to mix two experiments."""

from collections.abc import Callable
from pathlib import Path

from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.spec import (
    CHANGEABLE,
    Spec,
    differing_fields,
    load_spec,
    recipe_digest,
    spec_digest,
)


def refuse_other_experiment(
    folder: RunFolder,
    info: dict,
    spec: Spec,
    seed: int,
    deepened_from: str | None,
) -> list[str]:
    """Compares what a folder was begun with.

    Args:
        folder: The run's folder.
        info: What run.json says.
        spec: What is to be run.
        seed: Its seed.
        deepened_from: See `Identity`.

    Returns:
        The fields that differ and may.

    Raises:
        SpecError: Others differ; lists them all.
    """
    if folder.spec.exists():
        before = load_spec(folder.spec, stages=spec.model.own_stages)
        differences = differing_fields(before, spec)
    elif info["spec_digest"] != spec_digest(spec):
        differences = ["the spec (spec.yaml is gone, run.json has its digest)"]
    else:
        differences = []
    allowed = [
        line for line in differences if line.partition(": ")[0] in CHANGEABLE
    ]
    refused = [line for line in differences if line not in allowed]
    if info["seed"] != seed:
        refused.append(f"seed: {info['seed']} -> {seed}")
    refused += _other_beginning(_deepened_from(info), deepened_from)
    if refused:
        raise _other_experiment(folder.path, refused)
    return allowed


def newest_of_this_experiment(
    folder: RunFolder,
    checkpoints: Checkpoints,
    info: dict | None,
    spec: Spec,
    seed: int,
    notify: Callable[[str], None],
    deepened_from: str | None,
) -> Checkpoint | None:
    """The checkpoint to go on from; `None` where the run begins.

    Args:
        folder: The run's folder, locked.
        checkpoints: Those in it.
        info: What run.json says, compared already; `None` without one.
        spec: What is to be run.
        seed: Its seed.
        notify: Told what is unusual.
        deepened_from: See `Identity`.

    Raises:
        SpecError: The checkpoint is another experiment's.
        InputMissingError: The checkpoints of a begun run are gone.
        CannotWriteError: The folder holds what is no run's.
        BadDataError: All checkpoints are damaged.
    """
    there = checkpoints.iterations()
    newest = checkpoints.newest()
    saved_at = info and info.get("checkpoint")
    if newest is None:
        if saved_at is not None:
            raise InputMissingError(
                f"{folder.checkpoints}: a checkpoint of iteration {saved_at} "
                "was saved here, and none is left; put it back, or name "
                "another folder with --out"
            )
        if info is None:
            folder.refuse_foreign_files()
        else:
            notify(
                f"{folder.path}: ended before its first checkpoint; beginning "
                "again at iteration 0"
            )
        return None
    saved = newest.identity
    differences = []
    if saved.recipe != recipe_digest(spec):
        differences.append("the spec (the checkpoint has its digest)")
    if saved.seed != seed:
        differences.append(f"seed: {saved.seed} -> {seed}")
    differences += _other_beginning(saved.deepened_from, deepened_from)
    if differences:
        raise _other_experiment(folder.path, differences)
    if info is None:
        notify(
            f"{folder.info}: missing; going on from the checkpoint, the times "
            "before it are lost"
        )
    elif saved_at is not None and there[-1] < saved_at:
        notify(
            f"{folder.checkpoints}: the one of iteration {saved_at} is gone; "
            f"{saved_at - there[-1]} iterations are lost"
        )
    return newest


def refuse_other_data(
    folder: RunFolder, checkpoint: Checkpoint, name: str, fingerprint: str
) -> None:
    """Compares the data set found with the one a checkpoint was trained on.

    Raises:
        BadDataError: They differ.
    """
    if checkpoint.identity.data_fingerprint != fingerprint:
        raise BadDataError(
            f"{folder.path}: was begun on other data than the {name} found here"
        )


def refuse_other_precision(
    folder: RunFolder, checkpoint: Checkpoint, info: dict | None, precision: str
) -> None:
    """Compares the precision with the one a checkpoint was trained in.

    Raises:
        SpecError: They differ: the run would be of neither.
    """
    options = (info or {}).get("options") or {}
    before = checkpoint.identity.precision or options.get("precision")
    if before not in (None, precision):
        raise _other_experiment(
            folder.path, [f"--precision: {before} -> {precision}"]
        )


def _deepened_from(info: dict) -> str | None:
    """The digest of the weights that a run began with, as run.json has it."""
    deepened = info.get("deepened")
    known = isinstance(deepened, dict)
    digest = deepened.get("weights_sha256") if known else None
    return None if digest is None else str(digest)


def _other_beginning(old: str | None, new: str | None) -> list[str]:
    if old == new:
        return []
    told = [f"weights {d[:12]}…" if d else "none" for d in (old, new)]
    return [f"deepened from (--deepen): {told[0]} -> {told[1]}"]


def _other_experiment(path: Path, differences: list[str]) -> SpecError:
    return SpecError(
        f"{path}: holds a run of another experiment; name another folder with "
        "--out. What differs:",
        *(f"  {line}" for line in differences),
    )
