"""Weights of other programs: files as data, and networks by their names."""

from kresnet.importing.convert import Program, convert
from kresnet.importing.import_weights import import_weights
from kresnet.importing.inventory import inventory
from kresnet.importing.namings import NAMINGS
from kresnet.importing.open_files import open_files

__all__ = [
    "NAMINGS",
    "Program",
    "convert",
    "import_weights",
    "inventory",
    "open_files",
]
