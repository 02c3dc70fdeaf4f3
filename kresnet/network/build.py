"""From the `model` part of a spec to a Keras functional model."""

import math
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from kresnet.architecture import (
    ModelSpec,
    Parts,
    ResidualStage,
    census,
    walk,
)
from kresnet.errors import SpecError
from kresnet.layers import (
    BatchNormalization,
    Dropout,
    GlobalAveragePool,
    GroupedConvolution,
    MaxPool,
    Rematerialized,
    Scalar,
    ShortcutA,
    Survival,
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
        `(batch, height, width, channels)`, to logits `(batch, classes)`. It
        draws nothing, in training neither: see `keyed_network`.
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
    found = _Again(spec, network)
    walk(spec, network.input, found)
    return found


def keyed_network(network: keras.Model, spec: ModelSpec) -> keras.Model:
    """The same layers with the keys by which they draw in training.

    Args:
        network: As `build_model` returns it.
        spec: What it was built from, which `draws`.

    Returns:
        A functional model from images, as `network` takes them, keys of the
        images and keys of the iteration, both uint32 `(batch,)`, to logits.
        The keys of the iteration are the same for all images.
    """
    images = keras.Input(network.input_shape[1:], dtype=network.input.dtype)
    parts = _Again(spec, network)
    parts.keys = keras.Input((), dtype="uint32", name="image_keys")
    parts.iteration_key = keras.Input((), dtype="uint32", name="iteration_keys")
    with _deep_recursion(spec):
        logits = walk(spec, images, parts)
        inputs = [images, parts.keys, parts.iteration_key]
        return keras.Model(inputs, logits, name="keyed_network")


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
        self.keys = self.iteration_key = None

    def apply(
        self,
        make: Callable[..., keras.layers.Layer],
        part: str,
        *inputs: Any,
        **more: Any,
    ) -> keras.KerasTensor:
        """Makes the layer that is called `part` at this place, and calls it."""
        return make(name=self.place.named(part), **more)(*inputs)

    def define(self, definition, x):
        x = definition(x, self)
        if self.place.ends_stage:
            self.ends.append(x)
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
        bias=None,
        zeros=False,
    ):
        biased = self.model.unnormed if bias is None else bias is not False
        start = 0.0 if bias is None or isinstance(bias, bool) else bias
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
        y = self.apply(
            keras.layers.Conv2D if groups == 1 else GroupedConvolution,
            name,
            x,
            filters=width,
            kernel_size=kernel,
            strides=stride,
            padding=padding,
            data_format=DATA_FORMAT,
            groups=groups,
            dilation_rate=dilation,
            use_bias=biased,
            bias_initializer=keras.initializers.Constant(start),
            kernel_initializer=self._initial(name, zeros),
        )
        if kernel == 3 and name != "gate":
            self.responses[self.place.named(name.removeprefix("conv"))] = y
        return y

    def _initial(self, name, zeros):
        """What the kernel of the layer `name` of this place is at the start."""
        if zeros:
            return keras.initializers.Zeros()
        return HeNormal(self.seed, self.place.named(name), self._gain())

    def _gain(self):
        """The factor of Fixup on the kernels of a residual, else 1."""
        if not self.model.fixup or self.place.stage is None:
            return 1.0
        stage = self.model.stages[self.place.stage]
        if not isinstance(stage, ResidualStage):
            return 1.0
        # L^(-1 / (2m - 2)) of L residuals with m layers each.
        layers = len(stage.convolutions())
        residuals = sum(stage.blocks for stage in self.model.stages)
        return residuals ** (-1 / (2 * layers - 2))

    def norm(self, x, name, scale=1.0):
        y = self._norm(x, name, scale)
        layer = self.place.named(name.removeprefix("bn"))
        if self.responses.get(layer) is x:  # its own norm follows
            self.responses[layer] = y
        return y

    def _norm(self, x, name, scale):
        batch_norm, group_norm = self.model.batch_norm, self.model.group_norm
        if batch_norm is not None:
            fields = batch_norm.model_dump(exclude={"last_scale"})
            return self.apply(
                BatchNormalization, name, x, **fields, first_scale=scale
            )
        if group_norm is None:
            return x
        return self.apply(
            keras.layers.GroupNormalization,
            name,
            x,
            groups=x.shape[-1] // group_norm.channels,
            epsilon=group_norm.epsilon,
        )

    def scalar(self, x, name, factor=False):
        return self.apply(Scalar, name, x, factor=factor)

    def relu(self, x, name):
        return self.apply(keras.layers.ReLU, name, x)

    def sigmoid(self, x, name):
        return self.apply(
            keras.layers.Activation, name, x, activation="sigmoid"
        )

    def pad_channels(self, x, width, stride, name):
        return self.apply(ShortcutA, name, x, width=width, stride=stride)

    def add(self, shortcut, residual, name):
        lost = 1 - self.place.survival
        if lost:
            residual = self._drawing(
                Survival, "survival", residual, self.iteration_key, lost
            )
        self.branches[self.place.name] = residual, shortcut
        return self.apply(keras.layers.Add, name, [shortcut, residual])

    def multiply(self, x, gate, name):
        return self.apply(keras.layers.Multiply, name, [x, gate])

    def complement(self, gate, name):
        return self.apply(
            keras.layers.Rescaling, name, gate, scale=-1.0, offset=1.0
        )

    def scale(self, x, factor, name):
        # A NumPy number: TensorFlow would take Python's through float32.
        factor = np.float64(factor)
        return self.apply(keras.layers.Rescaling, name, x, scale=factor)

    def dropout(self, x, rate, name):
        return self._drawing(Dropout, name, x, self.keys, rate)

    def _drawing(self, make, name, x, keys, rate):
        """A layer that draws by the keys of images or of the iteration."""
        stream = zlib.crc32(self.place.named(name).encode()) >> 1
        return self.apply(make, name, x, keys, rate=rate, stream=stream)

    def max_pool(self, x, kernel, stride, padding, name=""):
        return self.apply(
            MaxPool, name, x, kernel=kernel, stride=stride, padding=padding
        )

    def average(self, x, name=""):
        return self.apply(GlobalAveragePool, name, x)

    def flatten(self, x, name):
        return self.apply(
            keras.layers.Flatten, name, x, data_format=DATA_FORMAT
        )

    def dense(self, x, width, name="", *, zeros=False):
        return self.apply(
            keras.layers.Dense,
            name,
            x,
            units=width,
            kernel_initializer=self._initial(name, zeros),
            dtype=full_precision(),  # whatever the precision
        )


class _Rematerializing(KerasParts):
    """Makes a model of each block whose activations are computed twice."""

    def __init__(self, model, seed):
        super().__init__(model, seed)
        self._traced: dict[tuple, Rematerialized] = {}  # the first of a kind

    def define(self, definition, x):
        if self.place.stage is None or not self.place.block:
            return definition(x, self)
        inputs = [keras.Input(x.shape[1:], dtype=x.dtype)]
        if self.model.draws:
            self.keys, self.iteration_key = (
                keras.Input((), dtype="uint32") for _ in range(2)
            )
            inputs += [self.keys, self.iteration_key]
        # Other names than the layers': paths of weights stay what they are.
        block = keras.Model(
            inputs, definition(inputs[0], self), name=self.place.named("block")
        )
        place = self.place
        # What the layers of a block may depend on, besides its number.
        alike = (
            (place.stage, place.stride, place.ends_stage),
            (place.first, place.last),
            place.name if self.model.draws else "",  # streams and survival
            *(x.shape, block.output_shape),
        )
        layer = Rematerialized(
            block,
            self._traced.get(alike),
            name=place.named("rematerialized"),
        )
        self._traced.setdefault(alike, layer)
        return layer(x)


class _Again(KerasParts):
    """Calls the layers of a network, built from the same spec, once more."""

    def __init__(self, model, network):
        super().__init__(model, seed=0)
        self._layers = {layer.name: layer for layer in network.layers}

    def define(self, definition, x):
        block = self._layers.get(self.place.named("rematerialized"))
        if block is not None:
            return block(x, self.keys, self.iteration_key)
        return super().define(definition, x)

    def apply(self, make, part, *inputs, **more):
        return self._layers[self.place.named(part)](*inputs)


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
