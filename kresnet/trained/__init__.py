"""One door to what was trained: runs, imports and exports."""

from kresnet.trained.layered import Layered
from kresnet.trained.measures import softmax
from kresnet.trained.open import open_trained
from kresnet.trained.run import Run
from kresnet.trained.trained import Trained

__all__ = ["Layered", "Run", "Trained", "open_trained", "softmax"]
