"""One experiment, one YAML file: reading, checking and writing specs.

Importing this imports neither Keras nor NumPy.
"""

from kresnet.spec.data import DATASETS, DatasetFacts, DataSpec, TfdsFacts
from kresnet.spec.loading import load_spec, shipped_specs
from kresnet.spec.recipe import (
    CHANGEABLE,
    differing_fields,
    dump_spec,
    recipe_digest,
    spec_digest,
)
from kresnet.spec.spec import Spec, json_schema
from kresnet.spec.training import LearningRate, TrainingSpec, WarmUp
from kresnet.spec.transforms import (
    ChannelMean,
    ChannelStandardize,
    FancyPCA,
    PerPixelMean,
    RandomCrop,
    RandomFlip,
    Rescale,
    ZCAWhitening,
)
from kresnet.spec.views import TestView, TrainView, Views

__all__ = [
    "CHANGEABLE",
    "DATASETS",
    "ChannelMean",
    "ChannelStandardize",
    "DataSpec",
    "DatasetFacts",
    "FancyPCA",
    "LearningRate",
    "PerPixelMean",
    "RandomCrop",
    "RandomFlip",
    "Rescale",
    "Spec",
    "TestView",
    "TfdsFacts",
    "TrainView",
    "TrainingSpec",
    "Views",
    "WarmUp",
    "ZCAWhitening",
    "differing_fields",
    "dump_spec",
    "json_schema",
    "load_spec",
    "recipe_digest",
    "shipped_specs",
    "spec_digest",
]
