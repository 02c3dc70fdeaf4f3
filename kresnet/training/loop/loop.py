"""Chunks: how many iterations the next step of `fit` runs.

A chunk is a run of iterations that one call of the backend carries out. It
ends where a callback has something to do (`next_due`), lasts about half a
second at most, so that signals and losses that are not finite are acted on
soon, and holds at most `CAPACITY` iterations. What is computed does not depend
on where chunks end.
"""

import functools
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
from keras import ops

from kresnet.callbacks import IterationCallback
from kresnet.data import Order
from kresnet.machine.surroundings import refuse_limits

CAPACITY = 512
SECONDS = 0.5


def chunk_model_class() -> type[keras.Model]:
    """The chunk-running model of the current Keras backend."""
    if keras.backend.backend() == "tensorflow":
        from kresnet.training.loop.steps_tensorflow import ChunkModel
    else:
        from kresnet.training.loop.steps_jax import ChunkModel
    return ChunkModel


def chunks(
    order: Order,
    first: int,
    last: int,
    callbacks: Sequence[keras.callbacks.Callback],
    iterations_per_second: Callable[[], float],
    capacity: int,
    part: slice,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields the chunks from iteration `first` up to `last`, not included.

    `fit` asks for a few chunks ahead of the one it runs. Where chunks may end
    is therefore asked of each callback as a function of the iteration alone;
    a callback that cannot know yet answers with the next iteration.

    Args:
        order: The order of the training images.
        first: Iteration to begin with.
        last: Iteration to end before.
        callbacks: Those of the run; the ones that have `next_due` are asked.
        iterations_per_second: Measured speed, 0 while unknown.
        capacity: The most iterations in a chunk.
        part: This process's part of a batch.

    Yields:
        Indices, int32 `(batch, capacity)`, keys, uint32 `(batch, capacity)`,
        and the number of iterations to run, int32 `(batch,)`, the same `batch`
        times: Keras spreads the first axis of everything over the devices.
    """
    stations = [c for c in callbacks if isinstance(c, IterationCallback)]
    iteration = first
    while iteration < last:
        due = (station.next_due(iteration) for station in stations)
        end = min((last, *(d for d in due if d is not None)))
        pace = int(SECONDS * iterations_per_second())
        count = max(1, min(end - iteration, pace, capacity))
        indices, keys = order.batches(iteration, count)
        missing = ((0, 0), (0, capacity - count))
        yield (
            np.pad(indices.T[part], missing),
            np.pad(keys.T[part], missing),
            np.full(order.batch_size, count, "int32")[part],
        )
        iteration += count


def fit_chunks(
    model: keras.Model,
    order: Order,
    first: int,
    last: int,
    callbacks: Sequence[keras.callbacks.Callback],
    iterations_per_second: Callable[[], float],
    part: slice = slice(None),
) -> None:
    """Trains a chunk model; the arguments are those of `chunks`.

    Raises:
        SpecError: Keras is told to end `fit` early.
        RuntimeError: It ended before the last iteration, nobody knows why.
    """
    refuse_limits()
    steps = functools.partial(
        chunks,
        order,
        first,
        last,
        callbacks,
        iterations_per_second,
        model.capacity,
        part,
    )
    size = len(range(order.batch_size)[part])
    model.fit_chunks(steps, callbacks, size)
    # What was not trained must not be taken for finished.
    reached = int(ops.convert_to_numpy(model.optimizer.iterations.value))
    if reached != last:
        raise RuntimeError(f"`fit` ended at iteration {reached} of {last}")
