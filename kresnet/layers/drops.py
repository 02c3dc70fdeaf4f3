"""What a network leaves out at random in training: values, and residuals."""

import math

import keras
from keras import ops

from kresnet.layers.keyed import random_bits


class Drop(keras.layers.Layer):
    """A layer that draws by keys in training; without keys it draws nothing.

    Args:
        rate: Float from 0 to 1 (excluded), the probability of leaving out.
        stream: Integer from 0 to 2**31 - 1; others draw independently.

    Call arguments:
        inputs: Float tensor, its first axis the images.
        keys: Integer tensor, shape `(batch,)`, values from 0 to 2**32 - 1.
            `None`, and whenever `training` is `False`: see the class.
        training: Boolean.

    Returns:
        Tensor of the shape and dtype of `inputs`.
    """

    def __init__(self, rate, stream, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(
                f"`rate` must be from 0 to below 1. Received: rate={rate}"
            )
        self.rate = float(rate)
        self.stream = int(stream)

    def call(self, inputs, keys=None, training=False):
        if keys is None or not training:
            return self.unchanged(inputs)
        return self.draw(inputs, keys)

    def unchanged(self, inputs):
        """What the layer makes of its inputs outside of training."""
        return inputs

    def draw(self, inputs, keys):
        """What it makes of them in training."""
        raise NotImplementedError

    def compute_output_shape(self, inputs_shape, keys_shape=None):
        return inputs_shape

    def get_config(self):
        return {
            **super().get_config(),
            "rate": self.rate,
            "stream": self.stream,
        }


@keras.saving.register_keras_serializable(package="kresnet")
class Dropout(Drop):
    """Each value is 0 with probability `rate`, or divided by `1 - rate`.

    A draw depends on the key of the image, the stream and the place of the
    value in the map, so it is the same on every backend and number of devices.
    Outside of training nothing changes. See `Drop` for the arguments.

    Reference:
        Srivastava et al. 2014, with the scaling in training.
    """

    def draw(self, inputs, keys):
        sizes = inputs.shape[1:]
        places = ops.arange(math.prod(sizes), dtype="int32")
        of_image = random_bits(keys, self.stream)
        of_place = random_bits(places, 0)
        bits = random_bits(
            ops.bitwise_xor(of_image[:, None], of_place[None]), self.stream
        )
        kept = ops.reshape(_kept(bits, self.rate), (-1, *sizes))
        zero = ops.zeros((), inputs.dtype)
        return ops.where(kept, inputs / (1 - self.rate), zero)


@keras.saving.register_keras_serializable(package="kresnet")
class Survival(Drop):
    """In training all values are 0 with probability `rate`: a lost residual.

    The keys are the same for all images of an iteration. What is lost was
    computed all the same, so the moving averages of its batch norms move on.
    Outside of training values are multiplied by `1 - rate`. See `Drop` for the
    arguments.

    Reference:
        Huang et al. 2016, "Deep networks with stochastic depth", section 3.
    """

    def unchanged(self, inputs):
        # Not `ops.cast`, which takes a Python number through float32.
        return inputs * ops.convert_to_tensor(1 - self.rate, inputs.dtype)

    def draw(self, inputs, keys):
        kept = _kept(random_bits(keys, self.stream), self.rate)
        shape = (-1, *(1 for _ in inputs.shape[1:]))
        return inputs * ops.cast(ops.reshape(kept, shape), inputs.dtype)


def _kept(bits, rate):
    """Whether each of uint32 bits keeps what it stands for, to 2**-24."""
    number = ops.cast(ops.right_shift(bits, ops.cast(8, "uint32")), "int32")
    return number >= round(rate * 2**24)
