"""Norms of the gradient, layer by layer, during training."""

from collections.abc import Callable, Sequence

import numpy as np

from kresnet.callbacks import Periodic
from kresnet.data import Order

Gradients = Callable[[np.ndarray, np.ndarray], Sequence]


class GradientNorms(Periodic):
    """Measures the norm of each layer's gradient, every so often.

    It is the gradient of the plain cross-entropy with respect to the layer's
    kernel, on the batch of the coming update, without weight decay and before
    any clipping. Nothing of the training changes.

    Args:
        order: Gives the batches.
        gradients: Gradients of the loss on a batch, from its indices and keys,
            in the order of the trainable variables.
        every: Iterations between measurements.
        last: The run's last iteration.
        write: Called with a list of dicts: `iteration`, `layer`, `norm`.
    """

    def __init__(
        self,
        order: Order,
        gradients: Gradients,
        every: int,
        last: int,
        write: Callable[[list[dict]], None],
    ):
        super().__init__(every, last)
        self.order = order
        self.gradients = gradients
        self.write = write

    def act(self):
        """Measures and writes."""
        indices, keys = self.order.batches(self.iteration, 1)
        gradients = self.gradients(indices[0], keys[0])
        self.write(
            [
                {
                    "iteration": self.iteration,
                    "layer": _layer(variable.path),
                    "norm": float(np.linalg.norm(gradient)),
                }
                for variable, gradient in zip(
                    self.model.trainable_variables, gradients, strict=True
                )
                if variable.path.endswith("/kernel")
            ]
        )


def _layer(path: str) -> str:
    """conv2_1_conv2/kernel is of the layer conv2_1_2; conv1/kernel of conv1."""
    return path.split("/")[-2].replace("_conv", "_")
