"""Reading a model's counters in the middle of `fit`."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def current_values(model: keras.Model) -> Iterator[None]:
    """Inside, the scalars of the optimiser and the metrics can be read.

    On JAX `fit` keeps the state to itself during an epoch, and the variables
    are empty. `Callback.model` would hand all of it back, which takes a deep
    network's callbacks milliseconds a step; here only scalars are lent.

    Args:
        model: A compiled model; variables are read, not assigned.
    """
    pairs = []
    if not getattr(model, "_jax_state_synced", True):
        state = model._jax_state or {}
        pairs = [
            (variable, value)
            for variables, name in (
                (model.optimizer.variables, "optimizer_variables"),
                (model.metrics_variables, "metrics_variables"),
            )
            for variable, value in zip(
                variables, state.get(name, ()), strict=False
            )
            if not variable.shape
        ]
    with keras.StatelessScope(pairs) if pairs else contextlib.nullcontext():
        yield
