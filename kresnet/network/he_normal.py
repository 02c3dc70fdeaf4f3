"""The initialisation of He et al. 2015, the same numbers on every backend."""

import math
import random
import zlib

import keras
import numpy as np

from kresnet.seeds import check_seed


@keras.saving.register_keras_serializable(package="kresnet")
class HeNormal(keras.initializers.Initializer):
    """Untruncated normal of variance 2 / fan_in.

    `keras.initializers.HeNormal` is truncated at two standard deviations. The
    numbers are a pure function of the seed, the name and the shape, and so do
    not depend on the backend or on the order in which layers are built. NumPy
    does not promise the numbers of its normal distribution: a test holds some.

    Args:
        seed: Integer in [0, 2**63), or `None` to draw one from Python's
            generator, as Keras' own initialisers do.
        name: String, keeps the kernels of different layers independent.
        gain: Float that the deviation is multiplied by. Defaults to `1.0`.

    Reference:
        He, Zhang, Ren, Sun 2015, "Delving deep into rectifiers", eq. (10).
    """

    def __init__(self, seed=None, name="", gain=1.0):
        drawn = random.randrange(2**31) if seed is None else seed
        self.seed = check_seed(drawn)
        self.name = name
        self.gain = float(gain)

    def __call__(self, shape, dtype=None):
        """Draws a kernel; its last axis is the output's channels."""
        bits = np.random.Philox(
            key=np.array([self.seed, zlib.crc32(self.name.encode())], "uint64")
        )
        deviation = self.gain * math.sqrt(2.0 / math.prod(shape[:-1]))
        values = np.random.Generator(bits).normal(0.0, deviation, shape)
        return keras.ops.convert_to_tensor(
            values, dtype=dtype or keras.config.floatx()
        )

    def get_config(self):
        """The arguments of `__init__`."""
        return {"seed": self.seed, "name": self.name, "gain": self.gain}
