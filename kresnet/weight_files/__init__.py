"""Files of weights that other programs wrote, read as data.

Nothing here knows what a network is, and Keras is not needed.
"""

from kresnet.weight_files.held import FLOATS, Held, Listing, Shape
from kresnet.weight_files.open_files import open_files, with_shards

__all__ = ["FLOATS", "Held", "Listing", "Shape", "open_files", "with_shards"]
