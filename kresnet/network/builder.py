"""From the `model` part of a spec to a Keras functional model."""

import functools
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from kresnet.census import census
from kresnet.errors import SpecError
from kresnet.layers import (
    BatchNormalization,
    GlobalAveragePool,
    Rematerialized,
)
from kresnet.network.blocks import BLOCKS
from kresnet.network.convolution import make_convolution
from kresnet.network.he_normal import HeNormal
from kresnet.network.precision import full_precision, layer_precision
from kresnet.seeds import check_seed
from kresnet.spec import ModelSpec


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

    Reference:
        He et al. 2015, sections 3.3, 3.4 and 4.2.
    """
    if not isinstance(spec, ModelSpec):
        raise ValueError(
            "`spec` must be the model part of a spec: build_model(spec.model). "
            f"Received: an object of {type(spec)}"
        )
    seed = seed if seed is None else check_seed(seed)
    conv = make_convolution(seed)

    def norm(name):
        return BatchNormalization(**spec.batch_norm.model_dump(), name=name)

    blocks = sum(stage.blocks for stage in spec.stages)
    with _deep_recursion(blocks), layer_precision(precision):
        inputs = keras.Input(spec.input, dtype=full_precision(), name="images")
        stem = spec.stem
        x = conv(inputs, stem.width, stem.kernel, stem.stride, "conv1")
        x = norm("conv1_bn")(x)
        x = keras.layers.ReLU(name="conv1_relu")(x)

        for i, stage in enumerate(spec.stages, start=2):  # conv2_x, conv3_x …
            block = functools.partial(BLOCKS[stage.block], conv=conv, norm=norm)
            if rematerialize:
                block = functools.partial(_rematerialized, block, {})
            for j in range(1, stage.blocks + 1):
                stride = stage.stride if j == 1 else 1
                x = block(x, stage, stride, name=f"conv{i}_{j}")

        x = GlobalAveragePool(name="pool")(x)
        logits = keras.layers.Dense(
            spec.classes,
            kernel_initializer=HeNormal(seed, "fc"),
            dtype=full_precision(),  # whatever the precision
            name="fc",
        )(x)
        network = keras.Model(inputs, logits, name="network")
    _compare_with_census(network, spec)
    return network


def _compare_with_census(network: keras.Model, spec: ModelSpec) -> None:
    built = sum(math.prod(v.shape) for v in network.trainable_variables)
    counted = census(spec).parameters
    if built != counted:
        raise SpecError(
            f"model: Keras built a network of {built:,} trainable parameters"
            f" where the spec's has {counted:,}; it is not used"
        )


def _rematerialized(block, traced, x, stage, stride, *, name):
    """A block of a stage; `traced` holds those before it, by their shape."""
    inputs = keras.Input(x.shape[1:], dtype=x.dtype)
    outputs = block(inputs, stage, stride, name=name)
    # Other names than the layers': paths of weights stay what they are.
    model = keras.Model(inputs, outputs, name=f"{name}_block")
    shape = (*x.shape, stride)
    layer = Rematerialized(
        model, traced.get(shape), name=f"{name}_rematerialized"
    )
    traced.setdefault(shape, layer)
    return layer(x)


@contextmanager
def _deep_recursion(blocks: int) -> Iterator[None]:
    """Lets Keras recurse once per layer, as it does on building a model."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1_000 + 100 * blocks))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
