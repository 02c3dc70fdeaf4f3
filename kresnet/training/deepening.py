"""A run that begins with the trained weights of a shallower one."""

import dataclasses
import hashlib
import os

import numpy as np
from safetensors.numpy import save

from kresnet.errors import InputMissingError, SpecError
from kresnet.network.deepening import deepened, stage_statistics
from kresnet.records.checkpoints import Arrays
from kresnet.spec import Spec, spec_digest
from kresnet.spec.recipe import reasons_not_deeper
from kresnet.trained.run import Run, load_run


@dataclasses.dataclass(frozen=True)
class Source:
    """The run that another one begins with.

    Attributes:
        run: It, finished, with its last checkpoint.
    """

    run: Run

    @property
    def digest(self) -> str:
        """SHA-256 of its weights, which is that of the checkpoint's file."""
        return hashlib.sha256(save(self.run.checkpoint.weights)).hexdigest()

    @property
    def record(self) -> dict[str, object]:
        """What run.json says of it."""
        return {
            "run": str(self.run.folder),
            "name": self.run.spec.name,
            "spec_digest": spec_digest(self.run.spec),
            "seed": self.run.seed,
            "iteration": self.run.checkpoint.iteration,
            "weights_sha256": self.digest,
            "run_test_error": self.run.info.get("test_error"),
        }

    def initial_weights(self, deep: Spec, images: np.ndarray) -> Arrays:
        """Weights of the deeper model, transforms included.

        Args:
            deep: The spec of the deeper model.
            images: The training split, uint8 array of shape
                `(count, height, width, channels)`.

        Returns:
            Float arrays by the path of their variable.

        Reference:
            He et al. 2015, section 1 (the solution by construction).
        """
        model = self.run.spec.model
        statistics = stage_statistics(*self.run.layers(), model, images)
        weights = self.run.checkpoint.weights
        return deepened(model, deep.model, weights, statistics)


def open_source(path: str | os.PathLike[str], spec: Spec) -> Source:
    """Opens the run that a run of `spec` is to begin with.

    Raises:
        SpecError: It is not finished, or `spec` is not its own spec deepened.
        InputMissingError: It is no run folder, or its last checkpoint is gone.
        BadDataError: Its newest checkpoint is damaged.
    """
    if not os.fspath(path):
        raise SpecError('--deepen: must name a run. Received: ""')
    run = load_run(path)
    if reasons := reasons_not_deeper(run.spec, spec):
        raise SpecError(
            f"--deepen: {spec.name} is not {run.folder} with plain blocks"
            " added:",
            *(f"  {reason}" for reason in reasons),
        )
    if run.info["status"] != "finished":
        raise SpecError(
            f"--deepen: {run.folder} must be finished. Received: a run that is"
            f" {run.info['status']}, at iteration {run.info['iteration']}"
        )
    if run.checkpoint.iteration != run.info["iteration"]:
        raise InputMissingError(
            f"--deepen: {run.folder}: the checkpoint of its last iteration,"
            f" {run.info['iteration']}, is not there"
        )
    return Source(run)
