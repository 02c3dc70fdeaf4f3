"""How large a checkpoint will be, known before anything is built."""

import keras

from kresnet.architecture import census
from kresnet.spec import Spec

# Of each convolution: kernel, the four of batch norm, and three momenta.
ARRAYS = 8
# What stands before an array in its file: path, type, shape and place.
HEADER = 192
# The manifest, with what the callbacks must remember.
MANIFEST = 8_192


def checkpoint_bytes(spec: Spec) -> int:
    """Bytes of one checkpoint; a little more than it will be."""
    statistics = sum(
        transform.statistics(spec.model.input)
        for transform in spec.data.transforms
    )
    counted = census(spec.model)
    # With each row's projection, if it has one: mean and variance of a batch
    # norm are as long as the convolution is wide.
    convolutions = [(row.layers + 1, row.output[2]) for row in counted.rows]
    averages = sum(2 * number * width for number, width in convolutions)
    # A momentum for each weight.
    numbers = 2 * counted.parameters + averages + statistics
    arrays = ARRAYS * sum(number for number, _ in convolutions)
    size = 8 if keras.config.floatx() == "float64" else 4
    return size * numbers + HEADER * arrays + MANIFEST
