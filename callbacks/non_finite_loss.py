"""Stopping before a loss that is not finite spreads."""

import numpy as np
from kresnet.callbacks.iteration_callback import IterationCallback


class NonFiniteLossError(RuntimeError):
    """The training loss is NaN or infinite.

    Attributes:
        iteration: Integer, the update whose loss it was, counted from 1.
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
    chance to overwrite good weights.
    """

    def on_train_batch_end(self, batch, logs=None):
        """Checks every loss of the step."""
        before = self.iteration
        super().on_train_batch_end(batch, logs)
        losses = np.atleast_1d(logs["loss"])
        bad = np.flatnonzero(~np.isfinite(losses))
        if bad.size:
            raise NonFiniteLossError(
                before + int(bad[0]) + 1, float(losses[bad[0]])
            )
