"""Per-pixel mean, crop and flip of a batch, from kresnet's keys."""

import torch
from torch.nn import functional

# The streams of kresnet's layers.
ROWS, COLUMNS, FLIP = 0x63726F79, 0x63726F78, 0x666C6970
MASK = 0xFFFFFFFF


def draw(keys, stream, bound):
    """Integers below `bound`, as kresnet.layers.keyed draws them."""
    bits = _lowbias32(_lowbias32(keys) ^ stream)
    return (bits * bound) >> 32


def _lowbias32(bits):
    bits = bits ^ (bits >> 16)
    bits = (bits * 0x7FEB352D) & MASK  # wraps modulo 2**64, which divides
    bits = bits ^ (bits >> 15)
    bits = (bits * 0x846CA68B) & MASK
    return bits ^ (bits >> 16)


def draws(transforms, keys):
    """The draws of every transform, for all keys at once.

    Args:
        transforms: `data.transforms` of a spec.
        keys: int64 tensor of any shape.

    Returns:
        A list of tuples of tensors of that shape, one per transform.
    """
    found = []
    for transform in transforms:
        if transform["layer"] == "random_crop":
            offsets = 2 * transform["padding"] + 1
            tops = draw(keys, ROWS, offsets)
            found.append((tops, draw(keys, COLUMNS, offsets)))
        elif transform["layer"] == "random_flip":
            found.append((draw(keys, FLIP, 2),))
        else:
            found.append(())
    return found


def transformed(transforms, images, mean, drawn):
    """A batch, NHWC bytes, to the network's input, NCHW in channels-last.

    Args:
        transforms: `data.transforms` of a spec.
        images: uint8 `(batch, height, width, channels)`.
        mean: `(height, width, channels)`, or None.
        drawn: This batch's part of `draws`.
    """
    x = images.to(torch.get_default_dtype())
    batch, height, width, _ = x.shape
    image = torch.arange(batch, device=x.device)[:, None, None]
    row = torch.arange(height, device=x.device)
    column = torch.arange(width, device=x.device)
    for transform, values in zip(transforms, drawn, strict=True):
        if transform["layer"] == "per_pixel_mean":
            x = x - mean
        elif transform["layer"] == "random_crop":
            p = transform["padding"]
            x = functional.pad(x, (0, 0, p, p, p, p))
            tops, lefts = values
            rows = (tops[:, None] + row)[:, :, None]
            x = x[image, rows, (lefts[:, None] + column)[:, None, :]]
        else:
            (flip,) = values
            mirrored = torch.where(
                flip[:, None] == 1, width - 1 - column, column
            )
            x = x[image, row[:, None], mirrored[:, None, :]]
    return x.permute(0, 3, 1, 2)
