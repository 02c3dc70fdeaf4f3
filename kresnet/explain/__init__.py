"""What the paper says and what a spec does, point by point.

Importing this imports neither Keras nor NumPy.
"""

from kresnet.explain.explain import as_text, explain
from kresnet.explain.network import paper_network
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
    "explain",
    "paper_network",
    "reasons_against",
]
