"""From a run to a model that is used without kresnet."""

from kresnet.exporting.export import CONTENT_KEY, export
from kresnet.exporting.exported_model import MODEL_FILES, load_exported
from kresnet.exporting.opening import Export, open_run_or_export
from kresnet.exporting.softmax import softmax

__all__ = [
    "CONTENT_KEY",
    "MODEL_FILES",
    "Export",
    "export",
    "load_exported",
    "open_run_or_export",
    "softmax",
]
