"""From the `model` part of a spec to a Keras functional model."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

from kresnet.architecture import ModelSpec, Parts, census, walk
from kresnet.errors import SpecError
from kresnet.layers import (
    BatchNormalization,
    GlobalAveragePool,
    Rematerialized,
    ShortcutA,
)
from kresnet.machine.place import refuse_missing_devices
from kresnet.network.he_normal import HeNormal
from kresnet.network.precision import full_precision, layer_precision
from kresnet.seeds import check_seed

# The order of axes of all images here, whatever Keras' own setting is.
DATA_FORMAT = "channels_last"
Pair = tuple[keras.KerasTensor, keras.KerasTensor]


def build_model(
    spec: ModelSpec,
    seed: int | None = None,
    *,
    precision: str = "float32",
    rematerialize: bool = False,
) -> keras.Model:
    """Builds the network of a spec, freshly initialised.

    Args:
        spec: The `model` part of a spec.
        seed: Integer in [0, 2**63) that the initial weights are a pure
            function of, the same on every backend; `None` draws one.
        precision: "float32", or "bfloat16" for the convolutions: weights,
            batch-norm statistics and logits stay float32. (Where Keras' floatx
            is float64, that takes the place of float32.)
        rematerialize: Keep only the input of each block for the backward
            pass and compute the rest again: less memory, a third more time.

    Returns:
        A functional model from preprocessed images, float
        `(batch, height, width, channels)`, to logits `(batch, classes)`.
        Keras' global dtype policy and image data format do not change it.

    Raises:
        ValueError: An argument is out of range, or `spec` is a whole spec.
        SpecError: The network has not the parameters that the census counts.
        KresnetError: As of `kresnet.machine.place.refuse_missing_devices`.

    Reference:
        He et al. 2015, sections 3.3, 3.4 and 4.2.
    """
    if not isinstance(spec, ModelSpec):
        raise ValueError(
            "`spec` must be the model part of a spec: build_model(spec.model). "
            f"Received: an object of {type(spec)}"
        )
    seed = seed if seed is None else check_seed(seed)
    refuse_missing_devices()
    kind = _Rematerializing if rematerialize else KerasParts
    with _deep_recursion(spec), layer_precision(precision):
        images = keras.Input(spec.input, dtype=full_precision(), name="images")
        logits = walk(spec, images, kind(spec, seed))
        network = keras.Model(images, logits, name="network")
    built = sum(math.prod(v.shape) for v in network.trainable_variables)
    counted = census(spec).parameters
    if built != counted:
        raise SpecError(
            f"model: Keras built a network of {built:,} trainable parameters"
            f" where the spec's has {counted:,}; it is not used"
        )
    return network


def find_places(network: keras.Model, spec: ModelSpec) -> "KerasParts":
    """Finds the places of a network that is measured inside.

    Args:
        network: As `build_model` returns it, not rematerialised.
        spec: What it was built from.

    Returns:
        Parts with its `responses`, `branches` and `ends`.
    """
    found = _Finding(spec, network)
    walk(spec, network.input, found)
    return found


class KerasParts(Parts):
    """Makes Keras layers, and notes where a network is measured inside.

    Args:
        model: The `model` part of a spec.
        seed: Of the initial weights; see `build_model`.

    Attributes:
        responses: The outputs of the 3×3 layers by name, from input to
            output, after batch norm and before the non-linearity or the
            addition. A layer is named by its block and its number in it:
            conv2_1_2 is the second one of conv2_1.
        branches: Residual and shortcut of each block that adds them, by the
            name of the block.
        ends: The output of each stage.

    Reference:
        He et al. 2015, section 4.2 and figure 7 (responses).
    """

    def __init__(self, model: ModelSpec, seed: int | None):
        self.model = model
        self.seed = seed
        self.responses: dict[str, keras.KerasTensor] = {}
        self.branches: dict[str, Pair] = {}
        self.ends: list[keras.KerasTensor] = []

    def apply(
        self, make: Callable[..., keras.layers.Layer], part: str, x: Any, **more
    ) -> keras.KerasTensor:
        """Makes the layer that is called `part` at this place, and calls it."""
        return make(name=self.place.named(part), **more)(x)

    def define(self, definition, x):
        x = definition(x, self)
        if self.place.ends_stage:
            self.ends.append(x)
        return x

    def layer(self, x, width, kernel, stride, number="", **more):
        x = super().layer(x, width, kernel, stride, number, **more)
        if kernel == 3:
            self.responses[self.place.named(number)] = x
        return x

    def channels(self, x):
        return x.shape[-1]

    def convolution(
        self,
        x,
        width,
        kernel,
        stride,
        name,
        *,
        groups=1,
        dilation=1,
        bias=False,
    ):
        padding = "same"
        if stride > 1 and kernel > 1:
            # "same" pads unevenly when strided; the paper's nets pad evenly.
            x = self.apply(
                keras.layers.ZeroPadding2D,
                f"{name}_pad" if name else "pad",
                x,
                padding=kernel // 2,
                data_format=DATA_FORMAT,
            )
            padding = "valid"
        return self.apply(
            keras.layers.Conv2D,
            name,
            x,
            filters=width,
            kernel_size=kernel,
            strides=stride,
            padding=padding,
            data_format=DATA_FORMAT,
            groups=groups,
            dilation_rate=dilation,
            use_bias=bias,
            kernel_initializer=HeNormal(self.seed, self.place.named(name)),
        )

    def norm(self, x, name):
        return self.apply(
            BatchNormalization, name, x, **self.model.batch_norm.model_dump()
        )

    def relu(self, x, name):
        return self.apply(keras.layers.ReLU, name, x)

    def sigmoid(self, x, name):
        return self.apply(
            keras.layers.Activation, name, x, activation="sigmoid"
        )

    def pad_channels(self, x, width, stride, name):
        return self.apply(ShortcutA, name, x, width=width, stride=stride)

    def add(self, shortcut, residual, name):
        self.branches[self.place.name] = residual, shortcut
        return self.apply(keras.layers.Add, name, [shortcut, residual])

    def multiply(self, x, gate, name):
        return self.apply(keras.layers.Multiply, name, [x, gate])

    def average(self, x, name=""):
        return self.apply(GlobalAveragePool, name, x)

    def flatten(self, x, name):
        return self.apply(
            keras.layers.Flatten, name, x, data_format=DATA_FORMAT
        )

    def dense(self, x, width, name=""):
        return self.apply(
            keras.layers.Dense,
            name,
            x,
            units=width,
            kernel_initializer=HeNormal(self.seed, self.place.named(name)),
            dtype=full_precision(),  # whatever the precision
        )


class _Rematerializing(KerasParts):
    """Makes a model of each block whose activations are computed twice."""

    def __init__(self, model, seed):
        super().__init__(model, seed)
        self._traced: dict[tuple, Rematerialized] = {}  # the first of a kind

    def define(self, definition, x):
        if self.place.stage is None:
            return definition(x, self)
        inputs = keras.Input(x.shape[1:], dtype=x.dtype)
        # Other names than the layers': paths of weights stay what they are.
        block = keras.Model(
            inputs, definition(inputs, self), name=self.place.named("block")
        )
        place = self.place
        # What the layers of a block may depend on, besides its number.
        alike = (
            (place.stage, place.stride, place.ends_stage),
            *(x.shape, block.output_shape),
        )
        layer = Rematerialized(
            block,
            self._traced.get(alike),
            name=place.named("rematerialized"),
        )
        self._traced.setdefault(alike, layer)
        return layer(x)


class _Finding(KerasParts):
    """Finds the layers of a network that was built from the same spec."""

    def __init__(self, model, network):
        super().__init__(model, seed=0)
        self._network = network

    def apply(self, make, part, x, **more):
        return self._network.get_layer(self.place.named(part)).output


@contextmanager
def _deep_recursion(spec: ModelSpec) -> Iterator[None]:
    """Lets Keras recurse once per layer, as it does on building a model."""
    blocks = sum(stage.blocks for stage in spec.stages)
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1_000 + 100 * blocks))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
