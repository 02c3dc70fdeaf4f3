"""YAML files that are read safely, every mistake with its place.

Nothing here knows what a network is.
"""

from kresnet.documents.document import Document, Place
from kresnet.documents.fields import (
    Exact,
    Expected,
    Fields,
    Flag,
    Integer,
    Number,
    Path,
    Problem,
    as_yaml,
    field_name,
    raise_problems,
    shown,
)
from kresnet.documents.overrides import apply_overrides
from kresnet.documents.shipped import SPECS, STUDIES, read_document
from kresnet.documents.validation import validated, value_problems
from kresnet.documents.yaml_reader import plain_scalar

__all__ = [
    "SPECS",
    "STUDIES",
    "Document",
    "Exact",
    "Expected",
    "Fields",
    "Flag",
    "Integer",
    "Number",
    "Path",
    "Place",
    "Problem",
    "apply_overrides",
    "as_yaml",
    "field_name",
    "plain_scalar",
    "raise_problems",
    "read_document",
    "shown",
    "validated",
    "value_problems",
]
