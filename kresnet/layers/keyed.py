"""The base class of layers that draw by a key for each image, and the draws."""

import functools
import statistics

import keras
import numpy as np
from keras import KerasTensor, ops

from kresnet.layers.image_layer import ImageLayer, check_images, shape_of


def random_bits(keys: KerasTensor, stream: int) -> KerasTensor:
    """Hashes keys to uniform 32-bit integers.

    The hash is "lowbias32": two rounds of xor-shift and multiply, a bijection
    whose output bits each flip with probability 1/2, to 0.2 %, when an input
    bit flips. It is applied to the key, and again after the stream is mixed in:
    related keys (0, 1, 2 …) and related streams give unrelated draws.

    Args:
        keys: Integer tensor of any shape, values from 0 to 2**32 - 1.
        stream: Integer from 0 to 2**32 - 1; other streams, independent draws.

    Returns:
        uint32 tensor, same shape as `keys`.

    Raises:
        ValueError: `stream` is out of range.

    Reference:
        C. Wellons 2018, "Prospecting for Hash Functions",
        https://nullprogram.com/blog/2018/07/31/
    """
    if not 0 <= stream < 2**32:
        raise ValueError(
            f"`stream` must be from 0 to 2**32 - 1. Received: stream={stream}"
        )
    bits = _lowbias32(ops.cast(keys, "uint32"))
    return _lowbias32(ops.bitwise_xor(bits, _uint32(stream)))


def random_integers(keys: KerasTensor, stream: int, bound: int) -> KerasTensor:
    """Draws one integer from 0 to `bound` - 1 per key.

    The draw is `floor(bits * bound / 2**32)`, computed exactly in halves of 16
    bits. Its probabilities differ from 1/bound by less than 2**-32: a relative
    bias below bound / 2**32.

    Args:
        keys: As in `random_bits`.
        stream: As in `random_bits`.
        bound: Integer from 1 to 2**16.

    Returns:
        int32 tensor, same shape as `keys`.

    Raises:
        ValueError: `stream` or `bound` is out of range.
    """
    if not 1 <= bound <= 2**16:
        raise ValueError(
            f"`bound` must be from 1 to 2**16. Received: bound={bound}"
        )
    bits = random_bits(keys, stream)
    high = ops.multiply(ops.right_shift(bits, _uint32(16)), _uint32(bound))
    low = ops.multiply(ops.bitwise_and(bits, _uint32(0xFFFF)), _uint32(bound))
    # At most 65535 * 2**16 + 65535: the sum does not overflow.
    total = ops.add(high, ops.right_shift(low, _uint32(16)))
    return ops.cast(ops.right_shift(total, _uint32(16)), "int32")


def random_normal(keys: KerasTensor, stream: int) -> KerasTensor:
    """Draws one float32 of the standard normal distribution per key.

    The draw is the quantile of `(i + 1/2) / 2**16`, `i` the random integer
    below 2**16: one of 65,536 equally likely numbers from -4.32 to 4.32, of
    mean 0 and variance 1 - 2e-5. They are looked up, because backends, and
    even places in a batch, round logarithms and cosines differently. Keys and
    stream are as in `random_bits`.
    """
    places = random_integers(keys, stream, 2**16)
    return ops.take(ops.convert_to_tensor(_normal_quantiles()), places)


@functools.cache
def _normal_quantiles() -> np.ndarray:
    inverse = statistics.NormalDist().inv_cdf
    return np.array([inverse((i + 0.5) / 2**16) for i in range(2**16)], "f4")


def _lowbias32(bits: KerasTensor) -> KerasTensor:
    bits = ops.bitwise_xor(bits, ops.right_shift(bits, _uint32(16)))
    bits = ops.multiply(bits, _uint32(0x7FEB352D))  # wraps modulo 2**32
    bits = ops.bitwise_xor(bits, ops.right_shift(bits, _uint32(15)))
    bits = ops.multiply(bits, _uint32(0x846CA68B))
    return ops.bitwise_xor(bits, ops.right_shift(bits, _uint32(16)))


def _uint32(value: int) -> KerasTensor:
    # A bare Python integer would be taken for an int32, and widened to int64
    # together with a uint32.
    return ops.convert_to_tensor(value, "uint32")


class KeyedLayer(ImageLayer):
    """A layer that changes images at random, in training only.

    A subclass changes them in `draw`.
    """

    def __call__(self, images, keys, *args, **kwargs):
        check_images(shape_of(images), self.sizes)
        keys = _checked(keys, images.shape[0])
        return super().__call__(images, keys, *args, **kwargs)

    # `training` is not True by default: Keras would hand that default on to
    # the layers that follow in a model called without the argument.
    def call(
        self,
        images: KerasTensor,
        keys: KerasTensor,
        training: bool | None = None,
    ) -> KerasTensor:
        if training is not None and not training:
            return self.unchanged(images)
        # Other backends know every batch, and it was compared before.
        if (
            None in (images.shape[0], keys.shape[0])
            and keras.backend.backend() == "tensorflow"
        ):
            from kresnet.layers.in_graph_tensorflow import equal_batches

            keys = equal_batches(keys, images)
        return self.draw(images, keys)

    def draw(self, images: KerasTensor, keys: KerasTensor) -> KerasTensor:
        """Returns the images changed at random, each by its own key."""
        raise NotImplementedError

    def unchanged(self, images: KerasTensor) -> KerasTensor:
        """Returns what the layer makes of images outside of training."""
        return images

    def compute_output_shape(self, images_shape, keys_shape=None):
        return tuple(images_shape)


def _checked(keys, batch):
    """Keys as they are, or as uint32 where that may be needed; or an error."""
    if not hasattr(keys, "shape") or not hasattr(keys, "dtype"):
        raise _refusal(f"keys of type {type(keys).__name__}")
    name = getattr(keys.dtype, "name", str(keys.dtype))
    if not name.removeprefix("u").startswith("int"):
        raise _refusal(f"keys.dtype={name}")
    shape = shape_of(keys)
    if shape is None or len(shape) != 1:
        raise _refusal(f"keys.shape={'unknown' if shape is None else shape}")
    if None not in (batch, shape[0]) and batch != shape[0]:
        raise _refusal(f"keys.shape={shape}, a batch of {batch} images")
    if name in ("uint8", "uint16", "uint32"):
        return keys
    try:
        values = np.asarray(keys)
    except (TypeError, ValueError, NotImplementedError):  # symbolic
        if name.endswith("64"):
            raise _refusal(
                f"keys.dtype={name}, whose values a graph cannot check: cast "
                "them to uint32"
            ) from None
        return keys
    if values.shape != shape:
        raise _refusal(f"keys of type {type(keys).__name__}")
    if values.size and not 0 <= values.min() <= values.max() < 2**32:
        raise _refusal(f"keys from {values.min()} to {values.max()}")
    return values.astype("uint32")


def _refusal(received: str) -> ValueError:
    return ValueError(
        "`keys` must be an integer tensor of shape (batch,), one key from 0 to "
        f"2**32 - 1 for each image. Received: {received}"
    )
