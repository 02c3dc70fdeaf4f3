"""One experiment, one YAML file: reading, checking and writing specs.

Importing this imports neither Keras nor NumPy.
"""

from kresnet.spec.data import (
    DATASETS,
    DatasetFacts,
    DataSpec,
    PerPixelMean,
    RandomCrop,
    RandomFlip,
)
from kresnet.spec.dumping import differing_fields, dump_spec, spec_digest
from kresnet.spec.loading import load_spec
from kresnet.spec.model import (
    BasicStage,
    BatchNorm,
    ModelSpec,
    PlainStage,
    Stem,
)
from kresnet.spec.schema import Expect, Spec, json_schema
from kresnet.spec.shipped import shipped_specs
from kresnet.spec.training import LearningRate, TrainingSpec, WarmUp

__all__ = [
    "DATASETS",
    "BasicStage",
    "BatchNorm",
    "DataSpec",
    "DatasetFacts",
    "Expect",
    "LearningRate",
    "ModelSpec",
    "PerPixelMean",
    "PlainStage",
    "RandomCrop",
    "RandomFlip",
    "Spec",
    "Stem",
    "TrainingSpec",
    "WarmUp",
    "differing_fields",
    "dump_spec",
    "json_schema",
    "load_spec",
    "shipped_specs",
    "spec_digest",
]
