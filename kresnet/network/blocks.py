"""Building blocks: two 3×3 convolutions, without and with a shortcut.

A block is a function `(x, stage, stride, *, conv, norm, name) -> x`. Batch norm
follows every convolution and comes before the activation (He et al. 2015,
section 3.4).
"""

import keras

from kresnet.network.convolution import Conv, Norm
from kresnet.network.shortcuts import shortcut
from kresnet.spec import BasicStage, PlainStage


def plain(
    x: keras.KerasTensor,
    stage: PlainStage,
    stride: int,
    *,
    conv: Conv,
    norm: Norm,
    name: str,
) -> keras.KerasTensor:
    """Two 3×3 convolutions of a plain network (section 3.3)."""
    x = _two_convolutions(x, stage.width, stride, conv, norm, name)
    return keras.layers.ReLU(name=f"{name}_out")(x)


def basic(
    x: keras.KerasTensor,
    stage: BasicStage,
    stride: int,
    *,
    conv: Conv,
    norm: Norm,
    name: str,
) -> keras.KerasTensor:
    """Two 3×3 convolutions and a shortcut around them (figure 5, left)."""
    residual = _two_convolutions(x, stage.width, stride, conv, norm, name)
    x = shortcut(
        x,
        stage.shortcut,
        stage.width,
        stride,
        conv=conv,
        norm=norm,
        name=name,
    )
    x = keras.layers.Add(name=f"{name}_add")([x, residual])
    return keras.layers.ReLU(name=f"{name}_out")(x)


BLOCKS = {"plain": plain, "basic": basic}


def _two_convolutions(x, width, stride, conv, norm, name):
    x = conv(x, width, 3, stride, f"{name}_conv1")
    x = norm(f"{name}_bn1")(x)
    x = keras.layers.ReLU(name=f"{name}_relu1")(x)
    x = conv(x, width, 3, 1, f"{name}_conv2")
    return norm(f"{name}_bn2")(x)
