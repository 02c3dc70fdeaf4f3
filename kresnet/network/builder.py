"""From the `model` part of a spec to a Keras functional model."""

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from kresnet.devices import refuse_missing_devices
from kresnet.layers import (
    BatchNormalization,
    GlobalAveragePool,
    Rematerialized,
)
from kresnet.network.blocks import BLOCKS
from kresnet.network.convolution import make_convolution
from kresnet.network.he_normal import HeNormal
from kresnet.spec import ModelSpec

PRECISIONS = ("float32", "bfloat16")


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
            batch-norm statistics and logits stay float32.
        rematerialize: Keep only the input of each block for the backward
            pass and compute the rest again: less memory, a third more time.

    Returns:
        A functional model from preprocessed images, float
        `(batch, height, width, channels)`, to logits `(batch, classes)`.

    Raises:
        KresnetError: As of `kresnet.devices.refuse_missing_devices`.

    Reference:
        He et al. 2015, sections 3.3, 3.4 and 4.2.
    """
    refuse_missing_devices()
    conv = make_convolution(seed)

    def norm(name):
        return BatchNormalization(**spec.batch_norm.model_dump(), name=name)

    blocks = sum(stage.blocks for stage in spec.stages)
    with _deep_recursion(blocks), _layer_precision(precision):
        inputs = keras.Input(spec.input, name="images")
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
            dtype=keras.config.floatx(),  # whatever the precision
            name="fc",
        )(x)
        return keras.Model(inputs, logits, name="network")


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
def _layer_precision(precision: str) -> Iterator[None]:
    """Sets the policy of the layers made inside."""
    if precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {', '.join(PRECISIONS)}. "
            f"Received: precision={precision}"
        )
    before = keras.config.dtype_policy()
    if precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def _deep_recursion(blocks: int) -> Iterator[None]:
    """Lets Keras recurse once per layer, as it does on building a model."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1_000 + 100 * blocks))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
