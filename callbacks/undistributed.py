"""Leaving `keras.distribution` for a moment."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """What runs inside knows nothing of a distribution set outside.

    A model that was built so can be used so in the middle of a distributed
    `fit`, with batches of any size. (The scope of a `tf.distribute` strategy
    is not concerned: callbacks run outside of it.)
    """
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
