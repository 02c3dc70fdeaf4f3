"""Keras layers, usable in any Keras program: one a file."""

from kresnet.layers.batch_normalization import BatchNormalization
from kresnet.layers.per_pixel_mean import PerPixelMean
from kresnet.layers.random_crop import RandomCrop
from kresnet.layers.random_flip import RandomFlip
from kresnet.layers.rematerialized import Rematerialized
from kresnet.layers.shortcut_a import ShortcutA

__all__ = [
    "BatchNormalization",
    "PerPixelMean",
    "RandomCrop",
    "RandomFlip",
    "Rematerialized",
    "ShortcutA",
]
