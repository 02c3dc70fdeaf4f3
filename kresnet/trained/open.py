"""Opens what was trained: a run, an import, or an export."""

import os
from collections.abc import Sequence
from pathlib import Path

from kresnet import sealed_folder
from kresnet.architecture import StageFields
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.records.imported import IMPORT
from kresnet.records.run import what_is_there
from kresnet.trained.export import load_export
from kresnet.trained.imported import load_import
from kresnet.trained.run import load_run
from kresnet.trained.runtimes import MODEL_FILES
from kresnet.trained.trained import Trained


def open_trained(
    network: Trained | str | os.PathLike[str],
    checkpoint: int | None = None,
    *,
    stages: Sequence[type[StageFields]] = (),
) -> Trained:
    """Opens the folder of a run, an import or an export; changes nothing in it.

    An export is opened only if every file is there, is what the manifest says
    and none was added. The manifest guards against damage and mix-ups; it is
    not a signature, so take exports, like programs, from people you trust.

    Args:
        network: The folder; what is open already is returned as it is.
        checkpoint: Iteration of the checkpoint to use, of a run folder;
            `None` for the newest.
        stages: Kinds of stages of your own that it was trained with; see
            `load_spec`.

    Raises:
        SpecError: A file, or a folder that is neither; model files from
            elsewhere may hold programs and are never loaded. Or `checkpoint`
            is given for an export, or a run was trained in another float type
            than Keras' floatx.
        BadDataError: An export that is damaged or not from kresnet, or a run
            whose checkpoint or record is damaged or another run's.
        InputMissingError: It is not there, or a run has no such checkpoint.
        ValueError: `checkpoint` or `stages` is given with what is open
            already.
    """
    if isinstance(network, Trained):
        if checkpoint is not None or stages:
            raise ValueError(
                "`checkpoint` and `stages` go with a folder, not with what is"
                " open already"
            )
        return network
    path = Path(network)
    if not os.path.exists(path):  # which may be too long for a name
        raise InputMissingError(f"{path}: there is no such folder")
    if not path.is_dir():
        raise SpecError(
            f"{path}: must be the folder of a run, an import or an export."
            " Model files may hold programs, so kresnet loads its own folders"
            " only"
        )
    if (path / IMPORT).is_file():
        if checkpoint is not None:
            raise SpecError(
                f"--checkpoint: is of a run, and {path} is an import"
            )
        return load_import(path, stages)
    # A run that lost its run.json is told so.
    if any((path / name).exists() for name in ("run.json", "spec.yaml")):
        return load_run(path, checkpoint, stages)
    if (path / sealed_folder.MANIFEST).is_file():
        if checkpoint is not None:
            raise SpecError(
                f"--checkpoint: is of a run, and {path} is an export, which"
                " has the weights of one iteration"
            )
        return load_export(path, stages)
    if any((path / name).exists() for name in MODEL_FILES.values()):
        raise BadDataError(
            f"{path}: holds a model without kresnet's manifest: not exported "
            "by kresnet, or damaged; it is not loaded"
        )
    raise SpecError(
        f"{path}: neither the folder of a run, an import nor an export."
        f" {what_is_there(path)}"
    )
