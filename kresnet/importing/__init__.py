"""Weights of other programs: files as data, and networks by their names."""

from kresnet.importing.open_files import open_files

__all__ = ["open_files"]
