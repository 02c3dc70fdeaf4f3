"""Experiments with residual networks, one YAML file each.

Importing kresnet is cheap: Keras and its backend are imported on first use.
"""

import importlib

_HOMES = {
    "KeyedBatches": "kresnet.data.keyed_batches",
    "build_model": "kresnet.network",
    "evaluate": "kresnet.evaluation",
    "export": "kresnet.exporting",
    "load_spec": "kresnet.spec",
    "train": "kresnet.training",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'kresnet' has no attribute {name!r}")
    if name != "load_spec":  # it needs no Keras
        quiet_backend = importlib.import_module("kresnet.machine.start_keras")
        quiet_backend.import_keras_quietly(own_process=False)
    return getattr(importlib.import_module(_HOMES[name]), name)
