"""The constructed solution: a trained plain net, deepened by identities.

"There exists a solution by construction to the deeper model: the added layers
are identity mapping, and the other layers are copied from the learned shallower
model" (He et al. 2015, section 1).
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from kresnet.network.pipeline import inference_model
from kresnet.spec import ModelSpec

Arrays = dict[str, np.ndarray]
# Of each channel, float64.
MeanAndVariance = tuple[np.ndarray, np.ndarray]


def stage_statistics(
    transforms: Sequence[keras.layers.Layer],
    network: keras.Model,
    spec: ModelSpec,
    images: np.ndarray,
    batch_size: int = 500,
) -> list[MeanAndVariance]:
    """Mean and (biased) variance of each channel that a stage emits.

    Args:
        transforms: Adapted, as `build_transforms` returns them.
        network: The trained network; runs as in inference.
        spec: The `model` part of its spec.
        images: The training split, uint8 `(count, height, width, channels)`.
        batch_size: Images at a time.

    Returns:
        One pair for each stage, over images, rows and columns.
    """
    ends = [
        network.get_layer(f"conv{i}_{stage.blocks}_out").output
        for i, stage in enumerate(spec.stages, start=2)
    ]
    observer = inference_model(transforms, keras.Model(network.input, ends))
    sums = [np.zeros((2, stage.width)) for stage in spec.stages]
    for start in range(0, len(images), batch_size):
        found = observer.predict_on_batch(images[start : start + batch_size])
        found = found if isinstance(found, list) else [found]
        for total, values in zip(sums, found, strict=True):
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
    are, which come from a ReLU. Batch norm scales by the deviation and shifts
    by the mean of its input, which undoes the normalisation: exactly in
    inference, and in training as far as the statistics of a batch are those of
    the training split.

    Args:
        shallow: Of the trained network, its stages plain.
        deep: The same with blocks added.
        weights: Of the trained model, by variable path.
        statistics: Of the trained network, as `stage_statistics` returns.

    Returns:
        float32 arrays by variable path: those of `weights`, and the added.
    """
    found = dict(weights)
    stages = zip(shallow.stages, deep.stages, statistics, strict=True)
    for i, (old, new, channels) in enumerate(stages, start=2):
        for j in range(old.blocks + 1, new.blocks + 1):
            for k in (1, 2):
                norm = identity_norm(*channels, deep.batch_norm.epsilon)
                for name, array in norm.items():
                    found[f"conv{i}_{j}_bn{k}/{name}"] = array
                kernel = identity_kernel(new.width)
                found[f"conv{i}_{j}_conv{k}/kernel"] = kernel
    return found


def identity_kernel(width: int) -> np.ndarray:
    """The 3×3 kernel that leaves `width` channels as they are."""
    kernel = np.zeros((3, 3, width, width), "float32")
    kernel[1, 1] = np.eye(width)
    return kernel


def identity_norm(
    mean: np.ndarray, variance: np.ndarray, epsilon: float
) -> Arrays:
    """Weights of a batch norm that leaves what has these statistics as it is.

    Args:
        mean: Of each channel, float array of shape `(channels,)`.
        variance: The same; biased, not negative.
        epsilon: What batch norm adds to the variance.

    Returns:
        Scale, offset and moving averages by their names in a batch norm,
        float32 of the same shape.
    """
    variance = variance.astype("float32")
    return {
        "gamma": np.sqrt(variance + np.float32(epsilon)),
        "beta": mean.astype("float32"),
        "moving_mean": mean.astype("float32"),
        "moving_variance": variance,
    }
