"""Keras callbacks that count in iterations; they know Keras only."""

from kresnet.callbacks.iteration_callback import (
    IterationCallback,
    Periodic,
    next_multiple,
    updates_done,
)
from kresnet.callbacks.iteration_schedule import (
    IterationSchedule,
    WarmUp,
    WarmUpError,
)
from kresnet.callbacks.layer_responses import (
    LayerResponses,
    ResponseProbe,
    copy_weights,
    undistributed,
)
from kresnet.callbacks.non_finite_loss import NonFiniteLoss, NonFiniteLossError
from kresnet.callbacks.throughput import Throughput

__all__ = [
    "IterationCallback",
    "IterationSchedule",
    "LayerResponses",
    "NonFiniteLoss",
    "NonFiniteLossError",
    "Periodic",
    "ResponseProbe",
    "Throughput",
    "WarmUp",
    "WarmUpError",
    "copy_weights",
    "next_multiple",
    "undistributed",
    "updates_done",
]
