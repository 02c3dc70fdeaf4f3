"""The least that an iteration of training needs, by arithmetic.

Operations: three times the multiply-adds of the census (forward, gradients of
the inputs, gradients of the kernels), two operations each. Batch norm,
non-linearities, additions and transforms are left out.

Bytes: the output of every convolution crosses memory five times: written and
read in the forward pass, read again in the backward pass, and its gradient
written and read. Everything between two convolutions is taken to be part of
them, as a perfect compiler would have it. Projections, pixels and the
classifier are left out. Weights, gradients and momenta cross once each per
iteration in either direction: kernels are read twice, gradients written and
read, momenta and weights read and written. Caches that hold a whole
activation can do better.
"""

import math

from kresnet.architecture import census
from kresnet.spec import Spec

CROSSINGS_OF_ACTIVATIONS = 5
CROSSINGS_OF_WEIGHTS = 8
BYTES = {"bfloat16": 2, "float32": 4, "float64": 8}


def operations(spec: Spec) -> int:
    """Operations of one iteration."""
    multiply_adds = census(spec.model).multiply_adds
    return 3 * 2 * multiply_adds * spec.training.batch_size


def bytes_moved(spec: Spec, bytes_per_number: int) -> int:
    """Bytes that one iteration reads and writes."""
    counted = census(spec.model)
    outputs = sum(
        row.layers * math.prod(row.output)
        for row in counted.rows
        if row.output[:2] != (1, 1)
    )
    activations = outputs * spec.training.batch_size
    return bytes_per_number * (
        CROSSINGS_OF_ACTIVATIONS * activations
        + CROSSINGS_OF_WEIGHTS * counted.parameters
    )
