"""What layers with statistics of the training images adapt with."""

from collections.abc import Iterable, Iterator

import numpy as np
from keras import ops

Images = np.ndarray | Iterable[np.ndarray]

_CHUNK = 1_000  # images; bounds the memory that sums take


def image_batches(data: Images) -> Iterator[np.ndarray]:
    """Yields images in batches, as NumPy arrays.

    Args:
        data: Images of shape `(N, height, width, channels)`, or an iterable of
            such arrays.

    Raises:
        ValueError: There is no image.
    """
    count = 0
    for batch in _chunks(data) if isinstance(data, np.ndarray) else data:
        count += len(batch)
        if len(batch):
            yield ops.convert_to_numpy(batch)
    if count == 0:
        raise ValueError("`data` must hold at least one image.")


def mean_and_covariance(
    rows: Iterable[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of rows that come in parts, summed in float64.

    Args:
        rows: Arrays of shape `(count, d)`; one at a time is held.

    Returns:
        Mean, shape `(d,)`, and covariance, divided by the number of rows,
        shape `(d, d)`.
    """
    origin, count, total, products = None, 0, 0.0, 0.0
    for part in rows:
        if origin is None:
            origin = part.mean(axis=0, dtype=np.float64)
        # Near zero, or the mean's square would drown the variance.
        part = part - origin
        count += len(part)
        total = total + part.sum(axis=0)
        products = products + part.T @ part
    mean = total / count
    return origin + mean, products / count - np.outer(mean, mean)


def pixels(batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the colours of all pixels, shape `(count, channels)`."""
    for batch in batches:
        yield batch.reshape(-1, batch.shape[-1])


def _chunks(data: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
