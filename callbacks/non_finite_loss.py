"""Stopping before a loss that is not finite spreads."""

import numpy as np
from kresnet.callbacks.iteration_callback import IterationCallback


class NonFiniteLossError(RuntimeError):
    """The training loss is NaN or infinite.

    Attributes:
        iteration: Integer, the update whose loss it was, counted from 1. Of a
            step of several updates with one loss, the last.
        loss: Float.
    """

    def __init__(self, iteration: int, loss: float):
        super().__init__(f"the loss of iteration {iteration} is {loss}")
        self.iteration = iteration
        self.loss = loss


class NonFiniteLoss(IterationCallback):
    """Raises `NonFiniteLossError` at the end of the step that produced it.

    Place it before callbacks that save: unlike
    `keras.callbacks.TerminateOnNaN` without `raise_error`, it leaves them no
    chance to overwrite good weights. The logs must have `loss`: a number, or
    an array.
    """

    def on_train_batch_end(self, batch, logs=None):
        before = self.iteration
        super().on_train_batch_end(batch, logs)
        if "loss" not in (logs or {}):
            raise ValueError(
                "`NonFiniteLoss` needs `loss` in the logs of a step. Received: "
                f"{sorted(logs or {})}"
            )
        losses = np.ravel(logs["loss"])
        bad = np.flatnonzero(~np.isfinite(losses))
        if not bad.size:
            return
        iteration = before + 1
        if self.logs_are_per_iteration:
            iteration += int(bad[0])
        # Later where a step was several updates; not where it was none.
        elif self.iteration > before:
            iteration = self.iteration
        raise NonFiniteLossError(iteration, float(losses[bad[0]]))
