"""Begins a run from a trained, shallower network."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence

import keras
import numpy as np
from safetensors.numpy import save

from kresnet.architecture import Counting, Map, ModelSpec, walk
from kresnet.data import Images
from kresnet.errors import InputMissingError, SpecError
from kresnet.network.build import find_places
from kresnet.network.transforms import inference_model
from kresnet.records.checkpoints import Arrays
from kresnet.records.identity import Beginning
from kresnet.records.run import Deepened
from kresnet.spec import Spec
from kresnet.spec.recipe import reasons_not_deeper
from kresnet.trained import Run, open_trained

# Of each channel, float64.
MeanAndVariance = tuple[np.ndarray, np.ndarray]


def stage_statistics(
    transforms: Sequence[keras.layers.Layer],
    network: keras.Model,
    spec: ModelSpec,
    images: Images | np.ndarray,
    batch_size: int = 500,
) -> list[MeanAndVariance]:
    """Mean and (biased) variance of each channel that a stage emits.

    They are taken over images, rows and columns, of the network as in inference
    and with its adapted transforms; a pair for each stage.
    """
    ends = find_places(network, spec).ends
    observer = inference_model(transforms, keras.Model(network.input, ends))
    sums = [np.zeros((2, end.shape[-1])) for end in ends]
    for start in range(0, len(images), batch_size):
        emitted = observer.predict_on_batch(images[start : start + batch_size])
        emitted = emitted if isinstance(emitted, list) else [emitted]
        for total, values in zip(sums, emitted, strict=True):
            values = np.asarray(values, "float64")
            means = values.mean(axis=(1, 2)), (values**2).mean(axis=(1, 2))
            total += np.sum(means, axis=1)
    return [
        (mean, np.maximum(square - mean**2, 0))
        for mean, square in (total / len(images) for total in sums)
    ]


def deepened(
    shallow: ModelSpec,
    deep: ModelSpec,
    weights: Mapping[str, np.ndarray],
    statistics: Sequence[MeanAndVariance],
) -> Arrays:
    """The weights of the deeper model that computes what the shallower does.

    Blocks are added at the end of each stage. ReLU leaves their inputs as they
    are, since they come from a ReLU. Batch norm scales by the deviation and
    shifts by the mean of its input, both from `stage_statistics`, which undoes
    the normalisation: exactly in inference, and in training as far as the
    statistics of a batch are those of the training split.
    """
    added = _Identities(shallow, deep, statistics)
    walk(deep, Map(deep.input), added)
    return {**weights, **added.arrays}


class _Identities(Counting):
    """Keeps float32 weights of the identity for the layers of added blocks."""

    def __init__(self, shallow, deep, statistics):
        super().__init__()
        self.arrays: Arrays = {}
        self._old = [stage.blocks for stage in shallow.stages]
        self._epsilon = deep.batch_norm.epsilon
        self._statistics = statistics

    def convolution(self, x, width, kernel, stride, name, **more):
        if self._added():
            path = f"{self.place.named(name)}/kernel"
            self.arrays[path] = identity_kernel(width)
        return super().convolution(x, width, kernel, stride, name, **more)

    def norm(self, x, name, scale=1.0):
        if self._added():
            mean, variance = self._statistics[self.place.stage]
            norm = identity_norm(mean, variance, self._epsilon)
            for each, array in norm.items():
                self.arrays[f"{self.place.named(name)}/{each}"] = array
        return super().norm(x, name, scale)

    def _added(self) -> bool:
        place = self.place
        return place.stage is not None and place.block > self._old[place.stage]


def identity_kernel(width: int) -> np.ndarray:
    """The 3×3 kernel that leaves `width` channels as they are."""
    kernel = np.zeros((3, 3, width, width), "float32")
    kernel[1, 1] = np.eye(width)
    return kernel


def identity_norm(
    mean: np.ndarray, variance: np.ndarray, epsilon: float
) -> Arrays:
    """Weights of a batch norm that leaves what has these statistics as it is.

    Mean and (biased) variance are those of each channel, shape `(channels,)`.
    """
    variance = variance.astype("float32")
    return {
        "gamma": np.sqrt(variance + np.float32(epsilon)),
        "beta": mean.astype("float32"),
        "moving_mean": mean.astype("float32"),
        "moving_variance": variance,
    }


@dataclasses.dataclass(frozen=True)
class Deepening:
    """A finished run that another run, with more blocks, begins with."""

    run: Run

    @property
    def beginning(self) -> Beginning:
        """What the identity of a run that begins with it holds.

        The SHA-256 sum of the weights is that of the checkpoint's file.
        """
        weights = hashlib.sha256(save(self.run.checkpoint.weights)).hexdigest()
        return Beginning(source=self.run.record.identity, weights=weights)

    @property
    def record(self) -> Deepened:
        """What run.json says of it."""
        return Deepened(
            run=str(self.run.folder),
            name=self.run.spec.name,
            iteration=self.run.checkpoint.iteration,
            run_test_error=self.run.record.test_error,
        )

    def initial_weights(self, deep: Spec, images: Images) -> Arrays:
        """Weights of the deeper model, transforms included, by path.

        Args:
            deep: The spec of the deeper model.
            images: The training split.

        Reference:
            He et al. 2015, section 1 (the solution by construction).
        """
        model = self.run.spec.model
        statistics = stage_statistics(*self.run.layers(), model, images)
        weights = self.run.checkpoint.weights
        return deepened(model, deep.model, weights, statistics)


def open_deepening(path: str | os.PathLike[str], spec: Spec) -> Deepening:
    """Opens the run that a run of `spec` is to begin with.

    Raises:
        SpecError: It is no run, or not finished, or `spec` is not its own spec
            deepened.
        InputMissingError: There is no such folder, or its last checkpoint is
            gone.
        BadDataError: Its newest checkpoint is damaged.
    """
    if not os.fspath(path):
        raise SpecError('--deepen: must name a run. Received: ""')
    run = open_trained(path).with_layers("--deepen")
    if not isinstance(run, Run):
        raise SpecError(f"--deepen: must name a run. Received: {run.folder}")
    if reasons := reasons_not_deeper(run.spec, spec):
        raise SpecError(
            f"--deepen: {spec.name} is not {run.folder} with plain blocks"
            " added:",
            *(f"  {reason}" for reason in reasons),
        )
    if not run.finished:
        raise SpecError(
            f"--deepen: {run.folder} must be finished. Received: a run that is"
            f" {run.record.status}, at iteration {run.record.iteration}"
        )
    if run.checkpoint.iteration != run.record.iteration:
        raise InputMissingError(
            f"--deepen: {run.folder}: the checkpoint of its last iteration,"
            f" {run.record.iteration}, is not there"
        )
    return Deepening(run)
