"""From image files to classes, with a run or an export."""

from kresnet.prediction.predict import Prediction, predict

__all__ = ["Prediction", "predict"]
