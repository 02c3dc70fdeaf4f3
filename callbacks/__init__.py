"""Keras callbacks that count in iterations; they know Keras only."""

from kresnet.callbacks.iteration_callback import (
    IterationCallback,
    next_multiple,
)
from kresnet.callbacks.iteration_schedule import (
    IterationSchedule,
    WarmUp,
    WarmUpError,
)
from kresnet.callbacks.non_finite_loss import NonFiniteLoss, NonFiniteLossError
from kresnet.callbacks.throughput import Throughput

__all__ = [
    "IterationCallback",
    "IterationSchedule",
    "NonFiniteLoss",
    "NonFiniteLossError",
    "Throughput",
    "WarmUp",
    "WarmUpError",
    "next_multiple",
]
