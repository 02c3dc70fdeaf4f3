"""Keras layers, usable in any Keras program: one a file.

`Rescaling` is Keras's own: the transform `rescale` is one by `1 / divide_by`.
"""

from keras.layers import Rescaling

from kresnet.layers.batch_normalization import BatchNormalization
from kresnet.layers.center_view import CenterView
from kresnet.layers.channel_mean import ChannelMean
from kresnet.layers.channel_standardize import ChannelStandardize
from kresnet.layers.drops import Dropout, Survival
from kresnet.layers.fancy_pca import FancyPCA
from kresnet.layers.global_average_pool import GlobalAveragePool
from kresnet.layers.grouped_convolution import GroupedConvolution
from kresnet.layers.max_pool import MaxPool
from kresnet.layers.per_pixel_mean import PerPixelMean
from kresnet.layers.random_crop import RandomCrop
from kresnet.layers.random_flip import RandomFlip
from kresnet.layers.rematerialized import Rematerialized
from kresnet.layers.scalar import Scalar
from kresnet.layers.shortcut_a import ShortcutA
from kresnet.layers.zca_whitening import ZCAWhitening

__all__ = [
    "BatchNormalization",
    "CenterView",
    "ChannelMean",
    "ChannelStandardize",
    "Dropout",
    "FancyPCA",
    "GlobalAveragePool",
    "GroupedConvolution",
    "MaxPool",
    "PerPixelMean",
    "RandomCrop",
    "RandomFlip",
    "Rematerialized",
    "Rescaling",
    "Scalar",
    "ShortcutA",
    "Survival",
    "ZCAWhitening",
]
