"""What the paper says and what a spec does, point by point.

Importing this imports neither Keras nor NumPy.
"""

from kresnet.explain.as_text import as_text
from kresnet.explain.comparability import caveats, reasons_against
from kresnet.explain.explain import explain
from kresnet.explain.network import paper_network
from kresnet.explain.point import DEVIATES, EQUAL, EQUIVALENT, GRADES, Point

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
