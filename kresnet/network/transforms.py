"""Transforms and network joined: one model to train, one to use.

Both share their layers, so there is no second copy of the preprocessing that
could drift (design decision: the transforms belong to the model).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kresnet.architecture import ModelSpec
from kresnet.errors import SpecError
from kresnet.layers import (
    CenterView,
    ChannelMean,
    ChannelStandardize,
    FancyPCA,
    PerPixelMean,
    RandomCrop,
    RandomFlip,
    ZCAWhitening,
)
from kresnet.layers.keyed import KeyedLayer
from kresnet.machine.place import refuse_missing_devices
from kresnet.network.build import keyed_network
from kresnet.network.precision import layer_precision
from kresnet.spec import DataSpec, TestView

if TYPE_CHECKING:
    from kresnet.data import Images


def _rescale(divide_by: float, name: str) -> keras.layers.Layer:
    # A NumPy number: TensorFlow would take Python's through float32.
    return keras.layers.Rescaling(np.float64(1 / divide_by), name=name)


TRANSFORMS: dict[str, Callable[..., keras.layers.Layer]] = {
    "per_pixel_mean": PerPixelMean,
    "channel_mean": ChannelMean,
    "channel_standardize": ChannelStandardize,
    "rescale": _rescale,
    "zca_whitening": ZCAWhitening,
    "fancy_pca": FancyPCA,
    "random_crop": RandomCrop,
    "random_flip": RandomFlip,
}
# Images that transforms are adapted to at a time, and values of them at most:
# covariances take float64 of them.
ADAPT_IMAGES = 1_000
ADAPT_VALUES = 2**24


def build_transforms(
    spec: DataSpec, input_shape: Sequence[int]
) -> list[keras.layers.Layer]:
    """Builds the layers of `data.transforms`, in the spec's order.

    They are for raw pixels of a shape `(height, width, channels)`.

    Raises:
        KresnetError: As of `kresnet.machine.place.refuse_missing_devices`.
    """
    refuse_missing_devices()
    layers = []
    with layer_precision():
        for transform in spec.transforms:
            arguments = transform.model_dump(
                exclude={"layer"}, exclude_none=True
            )
            make = TRANSFORMS[transform.layer]
            layer = make(**arguments, name=transform.layer)
            layer.build((None, *input_shape))
            layers.append(layer)
    return layers


def adapt_transforms(
    layers: Sequence[keras.layers.Layer], images: "Images | np.ndarray"
) -> None:
    """Adapts each layer that has statistics, after the layers before it.

    Those that were given constants keep them.
    Random layers are passed over on the way to later ones: statistics are
    those of images that are not augmented. The images are raw pixels of the
    training split alone, uint8 `(count, height, width, channels)`.

    Raises:
        SpecError: A layer cannot be adapted to these images.
    """
    for i, layer in enumerate(layers):
        if hasattr(layer, "adapt") and not layer.given:
            try:
                layer.adapt(_batches(images, layers[:i]))
            except ValueError as error:  # its arguments do not suit the images
                raise SpecError(f"data.transforms[{i}]: {error}") from error


def _batches(images, layers_before) -> Iterator[np.ndarray]:
    size = math.prod(images[:1].shape[1:])
    step = max(1, min(ADAPT_IMAGES, ADAPT_VALUES // size))
    for start in range(0, len(images), step):
        batch = images[start : start + step]
        for layer in inference_layers(layers_before):
            batch = keras.ops.convert_to_numpy(layer(batch))
        yield batch


def all_variables(
    transforms: Sequence[keras.layers.Layer], network: keras.Model
) -> list[keras.Variable]:
    """What a checkpoint holds: also what random transforms were adapted to.

    These act in training only, and the inference model is without them.
    """
    own = [variable for layer in transforms for variable in layer.weights]
    return [*own, *network.weights]


def inference_layers(
    transforms: Sequence[keras.layers.Layer],
) -> list[keras.layers.Layer]:
    """The transforms that also act outside training."""
    return [layer for layer in transforms if not isinstance(layer, KeyedLayer)]


def inference_model(
    transforms: Sequence[keras.layers.Layer], network: keras.Model
) -> keras.Model:
    """Raw pixels, uint8 `(batch, height, width, channels)`, to logits."""
    pixels = keras.Input(network.input_shape[1:], dtype="uint8", name="pixels")
    x = pixels
    for layer in inference_layers(transforms):
        x = layer(x)
    return keras.Model(pixels, network(x), name="inference")


def any_size_model(inference: keras.Model, view: TestView) -> keras.Model:
    """Puts the test view before an inference model.

    It takes raw images, uint8 `(batch, any, any, channels)`, one size a batch.
    """
    height, width, channels = inference.input_shape[1:]
    images = keras.Input((None, None, channels), dtype="uint8", name="images")
    with layer_precision():
        seen = CenterView(view.shorter_side, height, width)(images)
    return keras.Model(images, inference(seen), name="any_size")


def training_model(
    transforms: Sequence[keras.layers.Layer],
    network: keras.Model,
    spec: ModelSpec | None = None,
) -> keras.Model:
    """Raw pixels and their keys, uint32 `(batch,)`, to logits.

    A network that draws has a third input, the keys of the iteration, of the
    same kind: one number for all images, processes and replicas. It needs the
    spec that it was built from.
    """
    pixels = keras.Input(network.input_shape[1:], dtype="uint8", name="pixels")
    keys = keras.Input((), dtype="uint32", name="keys")
    x = pixels
    for layer in transforms:
        x = layer(x, keys) if isinstance(layer, KeyedLayer) else layer(x)
    inputs = [pixels, keys]
    if spec is None or not spec.draws:
        return keras.Model(inputs, network(x), name="training")
    inputs.append(keras.Input((), dtype="uint32", name="iteration_keys"))
    logits = keyed_network(network, spec)([x, *inputs[1:]])
    return keras.Model(inputs, logits, name="training")


def training_inputs(pixels: Any, keys: Any) -> list:
    """The inputs of a training model, from what an `Order` says.

    Keys are uint32, shape `(batch,)`, or `(batch, 2)` if the network draws.
    """
    if len(keys.shape) == 1:
        return [pixels, keys]
    return [pixels, keys[:, 0], keys[:, 1]]
