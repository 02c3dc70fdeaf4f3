"""The three shortcuts of He et al. 2015, section 3.3."""

import keras

from kresnet.layers import ShortcutA
from kresnet.network.convolution import Conv, Norm


def shortcut(
    x: keras.KerasTensor,
    option: str,
    width: int,
    stride: int,
    *,
    conv: Conv,
    norm: Norm,
    name: str,
) -> keras.KerasTensor:
    """Brings the input of a block to the shape of its output.

    Args:
        x: Images, shape `(batch, height, width, channels)`.
        option: "A": identity, subsampled and padded with zeros where the
            shape changes. "B": a projection (1×1 convolution and batch norm)
            where the shape changes, else identity. "C": always a projection.
        width: Channels of the block's output.
        stride: Stride of the block.
        conv: Makes convolutions.
        norm: Makes batch-norm layers.
        name: The block's name.
    """
    same_shape = stride == 1 and x.shape[-1] == width
    if option == "C" or (option == "B" and not same_shape):
        x = conv(x, width, 1, stride, f"{name}_shortcut")
        return norm(f"{name}_shortcut_bn")(x)
    if same_shape:
        return x
    return ShortcutA(width, stride, name=f"{name}_shortcut")(x)
