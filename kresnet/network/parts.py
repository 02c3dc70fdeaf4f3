"""Which Keras layer each part of a block becomes."""

import zlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kresnet.architecture import ModelSpec, Parts, ResidualStage
from kresnet.layers import (
    BatchNormalization,
    Dropout,
    GlobalAveragePool,
    GroupedConvolution,
    MaxPool,
    Scalar,
    ShortcutA,
    Survival,
)
from kresnet.network.he_normal import HeNormal
from kresnet.network.precision import full_precision

# The order of axes of all images here, whatever Keras' own setting is.
DATA_FORMAT = "channels_last"
Pair = tuple[keras.KerasTensor, keras.KerasTensor]


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
            use_bias=self.biased(bias),
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
