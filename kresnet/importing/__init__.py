"""Weights of other programs: files as data, and networks by their names."""

from kresnet.importing.import_weights import import_weights
from kresnet.importing.namings import NAMINGS
from kresnet.importing.open_files import open_files

__all__ = ["NAMINGS", "import_weights", "open_files"]
