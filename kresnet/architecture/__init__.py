"""Networks as fields, and one walk over them. Keras is not needed.

Importing this imports neither Keras nor NumPy.
"""

from kresnet.architecture.basic import BasicStage
from kresnet.architecture.bottleneck import BottleneckStage
from kresnet.architecture.census import (
    Census,
    Counting,
    Map,
    aligned,
    census,
    layer_table,
)
from kresnet.architecture.convolutions import ConvolutionsStage
from kresnet.architecture.inventory import Part, inventory
from kresnet.architecture.model import (
    STAGES,
    BatchNorm,
    Head,
    ModelSpec,
    Stem,
    model_class,
)
from kresnet.architecture.parts import Parts, Place
from kresnet.architecture.plain import PlainStage
from kresnet.architecture.pool import Pool
from kresnet.architecture.residual import ResidualStage
from kresnet.architecture.stage import Blocks, StageFields, Stride, Width
from kresnet.architecture.walk import walk

__all__ = [
    "STAGES",
    "BasicStage",
    "BatchNorm",
    "Blocks",
    "BottleneckStage",
    "Census",
    "ConvolutionsStage",
    "Counting",
    "Head",
    "Map",
    "ModelSpec",
    "Part",
    "Parts",
    "Place",
    "PlainStage",
    "Pool",
    "ResidualStage",
    "StageFields",
    "Stem",
    "Stride",
    "Width",
    "aligned",
    "census",
    "inventory",
    "layer_table",
    "model_class",
    "walk",
]
