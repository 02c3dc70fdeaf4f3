"""The value of one step, from the running means that Keras logs."""

import keras
import numpy as np
from keras import ops
from kresnet.callbacks.current_values import current_values


class StepMean:
    """Takes a step's mean out of a metric's mean since the epoch began.

    It asks the metric itself, so batches may have any size and any weights.
    """

    def __init__(self):
        self._before = {}

    def latest(self, model: keras.Model, name: str, value: float) -> float:
        """The mean over the step that has just ended, called after every step.

        Args:
            model: The model that is trained.
            name: Of the metric.
            value: What the logs of the step say.

        Returns:
            The step's mean; or `value` where no metric of the model has it,
            since `train_step` has then computed it of the batch.

        Raises:
            ValueError: The metric is no `keras.metrics.Mean`.
        """
        mean = None
        with current_values(model):
            for metric in _metrics(model, name):
                total, count = map(_number, (metric.total, metric.count))
                # It may have been reset since.
                before = self._before.get(id(metric), (0, 0))
                if count <= before[1]:
                    before = (0, 0)
                self._before[id(metric)] = total, count
                logged = count and np.isclose(total / count, value, rtol=1e-5)
                if logged and mean is None:
                    mean = (total - before[0]) / (count - before[1])
        return value if mean is None else mean


def _metrics(model, name):
    """The metrics of that name; `compile` puts its own into another one."""
    flat = [
        each
        for metric in model.metrics
        for each in getattr(metric, "metrics", [metric])
        if each.name == name
    ]
    for metric in flat:
        if not isinstance(metric, keras.metrics.Mean):
            raise ValueError(
                f"the metric `{name}` must be a `keras.metrics.Mean`. "
                f"Received: {metric}"
            )
    return flat


def _number(variable):
    return float(ops.convert_to_numpy(ops.convert_to_tensor(variable)))
