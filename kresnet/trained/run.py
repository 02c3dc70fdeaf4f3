"""A run, opened for use: its spec, its record and the weights it has."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from kresnet.architecture import StageFields
from kresnet.data import Images
from kresnet.errors import InputMissingError, SpecError
from kresnet.machine.surroundings import FLOATX, check_floatx
from kresnet.network import (
    all_variables,
    build_model,
    build_transforms,
    inference_model,
)
from kresnet.notices import notify
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.run import (
    RecordedRun,
    read_recorded_run,
    what_is_there,
)
from kresnet.trained.arrays import from_arrays
from kresnet.trained.measures import predict_logits
from kresnet.trained.statistics import re_estimate
from kresnet.trained.trained import Trained


@dataclasses.dataclass(frozen=True)
class Run(RecordedRun, Trained):
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

    def with_layers(self, use: str) -> "Run":
        return self

    def layers(self) -> tuple[list[keras.layers.Layer], keras.Model]:
        """Builds transforms and network with the run's weights."""
        transforms = build_transforms(self.spec.data, self.spec.model.input)
        network = build_model(self.spec.model, 0)
        from_arrays(all_variables(transforms, network), self.checkpoint.weights)
        return transforms, network

    def inference_model(self) -> keras.Model:
        """Builds the model, uint8 pixels to logits, with the run's weights."""
        return inference_model(*self.layers())

    @functools.cached_property
    def _model(self) -> keras.Model:
        return self.inference_model()

    def logits(self, pixels: Images | np.ndarray) -> np.ndarray:
        return predict_logits(self._model, pixels)

    def re_estimated(self, images: Images) -> "Run":
        """A copy with batch-norm statistics of these training images."""
        weights, used = re_estimate(self.spec, self.checkpoint.weights, images)
        return dataclasses.replace(
            self,
            checkpoint=dataclasses.replace(self.checkpoint, weights=weights),
            statistics=f"averages over {used:,} training images, augmented"
            " as in training, taken after it",
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
    used = checkpoints.read(checkpoint)
    if used is None:
        raise InputMissingError(
            f"{folder}: has no checkpoint to use. {what_is_there(folder)}"
        )
    types = {str(array.dtype) for array in used.weights.values()}
    if types != {keras.config.floatx()}:
        raise SpecError(
            f"{folder}: was trained in {' and '.join(sorted(types))},"
            f" which must be {FLOATX}. Received: {keras.config.floatx()}"
        )
    return Run(folder, run.spec, run.record, used)
