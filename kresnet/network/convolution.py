"""The paper's convolution: no bias, even padding, He initialisation."""

from collections.abc import Callable

import keras

from kresnet.network.he_normal import HeNormal

Norm = Callable[[str], keras.layers.Layer]
Conv = Callable[..., keras.KerasTensor]
# Of all images here, whatever Keras' own setting is.
DATA_FORMAT = "channels_last"


def make_convolution(seed: int | None) -> Conv:
    """Returns `conv(x, width, kernel, stride, name)` for one network's seed."""

    def conv(
        x: keras.KerasTensor, width: int, kernel: int, stride: int, name: str
    ) -> keras.KerasTensor:
        padding = "same"
        if stride > 1 and kernel > 1:
            # "same" pads unevenly when strided; the paper's nets pad evenly.
            x = keras.layers.ZeroPadding2D(
                kernel // 2, data_format=DATA_FORMAT, name=f"{name}_pad"
            )(x)
            padding = "valid"
        return keras.layers.Conv2D(
            width,
            kernel,
            strides=stride,
            padding=padding,
            data_format=DATA_FORMAT,
            use_bias=False,
            kernel_initializer=HeNormal(seed, name),
            name=name,
        )(x)

    return conv
