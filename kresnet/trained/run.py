"""Reading a run back: its spec, its numbers, its trained model."""

import dataclasses
import os
from pathlib import Path

import keras

from kresnet.data import Dataset, load_dataset
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.machine.settings import FLOATX, check_floatx
from kresnet.network import (
    all_variables,
    build_model,
    build_transforms,
    inference_model,
)
from kresnet.notices import notify
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.records.run import (
    RecordedRun,
    read_recorded_run,
    what_is_there,
)
from kresnet.trained.arrays import from_arrays


@dataclasses.dataclass(frozen=True)
class Run(RecordedRun):
    """A run with at least one sound checkpoint.

    Attributes:
        checkpoint: The one that is used, the newest if none was chosen.
    """

    checkpoint: Checkpoint

    def load_data(
        self, data_dir: str | os.PathLike[str] | None = None
    ) -> Dataset:
        """Loads the data set that the run was trained on.

        Args:
            data_dir: Where prepared data sets are; see `load_dataset`.

        Raises:
            BadDataError: The data found are other ones.
        """
        return load_same_data(
            self.folder, self.spec.data.dataset, self.identity, data_dir
        )

    def layers(self) -> tuple[list[keras.layers.Layer], keras.Model]:
        """Builds transforms and network with the run's weights."""
        transforms = build_transforms(self.spec.data, self.spec.model.input)
        network = build_model(self.spec.model, 0)
        from_arrays(all_variables(transforms, network), self.checkpoint.weights)
        return transforms, network

    def inference_model(self) -> keras.Model:
        """Builds the model, uint8 pixels to logits, with the run's weights."""
        return inference_model(*self.layers())


def load_same_data(
    folder: Path,
    name: str,
    identity: Identity,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Loads the data set that a network was trained on.

    Args:
        folder: Of the network, for the message.
        name: Of the data set.
        identity: The network's.
        data_dir: Where prepared data sets are; see `load_dataset`.

    Raises:
        BadDataError: The data found are other ones.
    """
    data = load_dataset(name, data_dir)
    if identity.differences(identity.with_data(data.fingerprint)):
        raise BadDataError(
            f"{folder}: was trained on other data than the {data.name} found"
            " here"
        )
    return data


def load_run(
    path: str | os.PathLike[str], checkpoint: int | None = None
) -> Run:
    """Opens a run folder with its weights, finished or not.

    Args:
        path: The folder.
        checkpoint: Iteration of the checkpoint to use; `None` for the newest.

    Raises:
        InputMissingError: It is no run folder, has no checkpoint yet or none
            of this iteration; says what is there.
        BadDataError: The checkpoint is damaged or another run's, run.json is
            damaged, or spec.yaml was changed. Nothing is changed in the
            folder.
        SpecError: It was trained in another float type than Keras' floatx.
    """
    check_floatx()
    run = read_recorded_run(path)
    checkpoints = Checkpoints(
        RunFolder(run.folder).checkpoints, notify, identity=run.identity
    )
    used = checkpoints.read(checkpoint)
    if used is None:
        raise InputMissingError(
            f"{run.folder}: has no checkpoint to use."
            f" {what_is_there(run.folder)}"
        )
    types = {str(array.dtype) for array in used.weights.values()}
    if types != {keras.config.floatx()}:
        raise SpecError(
            f"{run.folder}: was trained in {' and '.join(sorted(types))},"
            f" which must be {FLOATX}. Received: {keras.config.floatx()}"
        )
    return Run(run.folder, run.spec, run.record, used)
