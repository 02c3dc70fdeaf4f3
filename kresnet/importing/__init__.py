"""Weights of other programs in networks of ours, found by their names."""

from kresnet.importing.convert import Program, convert
from kresnet.importing.import_weights import import_weights
from kresnet.importing.namings import NAMINGS

__all__ = ["NAMINGS", "Program", "convert", "import_weights"]
