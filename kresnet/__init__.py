"""Experiments with residual networks, one YAML file each.

Importing kresnet is cheap: Keras and its backend are imported on first use.
"""

import importlib
import sys

from kresnet.surroundings import refuse_named_backend

_HOMES = {
    "build_model": "kresnet.network",
    "evaluate": "kresnet.evaluation",
    "export": "kresnet.exporting",
    "load_spec": "kresnet.spec",
    "train": "kresnet.training",
}

__all__ = ["build_model", "evaluate", "export", "load_spec", "train"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'kresnet' has no attribute {name!r}")
    if name != "load_spec" and "keras" not in sys.modules:
        refuse_named_backend()  # else Keras says it, in words of its own
    return getattr(importlib.import_module(_HOMES[name]), name)
