"""Begins a run with a trained network, or with a shallower one, deepened."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from safetensors.numpy import save

from kresnet.architecture import Counting, Map, ModelSpec, inventory, walk
from kresnet.data import Images
from kresnet.errors import InputMissingError, SpecError
from kresnet.network.build import find_places
from kresnet.network.transforms import inference_model
from kresnet.records.checkpoints import Arrays
from kresnet.records.identity import Beginning
from kresnet.records.run import BegunWith, Deepened
from kresnet.spec import Spec, differing_fields
from kresnet.spec.recipe import reasons_not_deeper
from kresnet.trained import Layered, Run, open_trained

# Lines about single layers in a message.
MOST_LINES = 10
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
class BeginWith:
    """A run or an import that another run begins with.

    Attributes:
        source: The network.
        drawn: Layers whose weights it does not give.
        differs: Fields of the network that differ, though its arrays fit.
        keeps_transforms: Whether the transforms' statistics are taken, too.
    """

    source: Layered
    drawn: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    keeps_transforms: bool = False

    @property
    def weights(self) -> str:
        """The SHA-256 sum of the weights, that of their file."""
        return hashlib.sha256(save(self.source.weights)).hexdigest()

    @property
    def beginning(self) -> Beginning:
        """What the identity of a run that begins with it holds."""
        return Beginning(
            source=self.source.identity,
            weights=self.weights,
            kept_transforms=self.keeps_transforms,
        )

    @property
    def record(self) -> dict[str, Any]:
        """What run.json says of it, by the name of the field."""
        begun = BegunWith(
            folder=str(self.source.folder),
            name=self.source.spec.name,
            iteration=self.source.iteration,
            weights=self.weights,
            drawn=self.drawn,
            kept_transforms=self.keeps_transforms,
        )
        return {"begun_with": begun}

    @property
    def about(self) -> str:
        """What is done, in words."""
        words = f"beginning with the weights of {self.source.folder}"
        if isinstance(self.source, Run) and not self.source.finished:
            words += f", at iteration {self.source.iteration} and not finished"
        if self.drawn:
            words += f"; drawn anew: {', '.join(self.drawn)}"
        if self.differs:
            words += f"; another network: {', '.join(self.differs)}"
        return words

    def initial_weights(
        self, spec: Spec, images: Images, own: Arrays
    ) -> Arrays:
        """Weights of the model, transforms included, by path.

        `own` are those that it has: drawn, and adapted to the images.
        """
        anew = set(self.drawn)
        if not self.keeps_transforms:
            anew |= {transform.layer for transform in spec.data.transforms}
        taken = {
            path: array
            for path, array in self.source.weights.items()
            if path in own and path.partition("/")[0] not in anew
        }
        return own | taken


@dataclasses.dataclass(frozen=True)
class Deepening(BeginWith):
    """A finished run that another run, with more blocks, begins with."""

    source: Run

    @property
    def beginning(self) -> Beginning:
        return Beginning(
            source=self.source.record.identity, weights=self.weights
        )

    @property
    def record(self) -> dict[str, Any]:
        deepened = Deepened(
            run=str(self.source.folder),
            name=self.source.spec.name,
            iteration=self.source.iteration,
            run_test_error=self.source.record.test_error,
        )
        return {"deepened": deepened}

    @property
    def about(self) -> str:
        return f"deepening {self.source.folder}"

    def initial_weights(
        self, spec: Spec, images: Images, own: Arrays
    ) -> Arrays:
        """Weights of the deeper model, transforms included, by path.

        Reference:
            He et al. 2015, section 1 (the solution by construction).
        """
        model, weights = self.source.spec.model, self.source.weights
        statistics = stage_statistics(*self.source.layers(), model, images)
        return deepened(model, spec.model, weights, statistics)


def open_begin_with(
    path: str | os.PathLike[str], spec: Spec, keep_transforms: bool = False
) -> BeginWith:
    """Opens the run or the import that a run of `spec` is to begin with.

    A classifier of another size, or one that an import lacks, is drawn anew.
    A SpecError where the network is another one, or transforms to be kept are.
    """
    option = "--begin-with"
    if not os.fspath(path):
        raise SpecError(f'{option}: must name a folder. Received: ""')
    source = open_trained(path, stages=spec.model.own_stages)
    source = source.with_layers(option)
    drawn, wrong = [], []
    shapes = {k: v.shape for k, v in source.weights.items()}
    with_arrays = [p for p in inventory(spec.model) if p.shapes]
    for part in with_arrays:
        own = {f"{part.name}/{k}": v for k, v in part.shapes.items()}
        there = {k: shapes.get(k) for k in own} | {
            k: shape
            for k, shape in shapes.items()
            if k.rpartition("/")[0] == part.name
        }
        if part.name in source.lacks or (part.is_classifier and own != there):
            drawn.append(part.name)
        elif own != there:
            both = dict.fromkeys(there) | own
            wrong.append(f"{part.name}: {_shapes(there)}, not {_shapes(both)}")
    layers = {part.name for part in with_arrays}
    layers |= {t.layer for t in source.spec.data.transforms}
    more = {k.partition("/")[0] for k in shapes} - layers
    wrong += [f"{name}: is not in {spec.name}" for name in sorted(more)]
    if wrong:
        raise SpecError(
            f"{option}: the network of {source.folder} is not that of"
            f" {spec.name}:",
            *(f"  {line}" for line in wrong[:MOST_LINES]),
            *(["  …"] if len(wrong) > MOST_LINES else []),
        )
    if keep_transforms:
        ours, others = (
            [t for t in s.data.transforms if t.adapts]
            for s in (spec, source.spec)
        )
        if ours != others:
            raise SpecError(
                f"--keep-transforms: {source.folder} must have the transforms"
                f" of {spec.name} that have statistics. Received:"
                f" {', '.join(t.layer for t in others) or 'none'}"
            )
    differs = tuple(
        line
        for line in differing_fields(source.spec, spec)
        if line.startswith("model.")
        and not line.startswith("model.classes")  # said by what is drawn
    )
    return BeginWith(source, tuple(drawn), differs, keep_transforms)


def _shapes(arrays: Mapping[str, tuple[int, ...] | None]) -> str:
    """Writes the shapes of a layer's arrays, as "3×3×16×16, 16"."""
    return ", ".join(
        "none" if shape is None else "×".join(map(str, shape)) or "a number"
        for shape in arrays.values()
    )


def open_deepening(path: str | os.PathLike[str], spec: Spec) -> Deepening:
    """Opens the finished run whose spec, deepened, is `spec`; or raises."""
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
    if run.iteration != run.record.iteration:
        raise InputMissingError(
            f"--deepen: {run.folder}: the checkpoint of its last iteration,"
            f" {run.record.iteration}, is not there"
        )
    return Deepening(run)
