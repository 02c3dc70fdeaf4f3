"""From a run to a model that is used without kresnet."""

from kresnet.exporting.export import export
from kresnet.trained.export import CONTENT_KEY, MODEL_FILES, load_exported
from kresnet.trained.measures import softmax
from kresnet.trained.open import Export, open_run_or_export

__all__ = [
    "CONTENT_KEY",
    "MODEL_FILES",
    "Export",
    "export",
    "load_exported",
    "open_run_or_export",
    "softmax",
]
