"""From a run to a model that is used without kresnet."""

from kresnet.exporting.export import export

__all__ = ["export"]
