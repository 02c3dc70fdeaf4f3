"""What the paper says and what a spec does, point by point.

Importing this imports neither Keras nor NumPy.
"""

from kresnet.explain.explain import as_text, explain
from kresnet.explain.papers import experiments_of, printed_network, shape_known
from kresnet.explain.point import (
    DEVIATES,
    EQUAL,
    EQUIVALENT,
    GRADES,
    Point,
    caveats,
    reasons_against,
)

__all__ = [
    "DEVIATES",
    "EQUAL",
    "EQUIVALENT",
    "GRADES",
    "Point",
    "as_text",
    "caveats",
    "experiments_of",
    "explain",
    "printed_network",
    "reasons_against",
    "shape_known",
]
