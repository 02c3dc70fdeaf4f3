"""What each iteration of a run is given, read while the device works."""

import concurrent.futures
import math
from collections.abc import Sequence

import numpy as np

from kresnet.data.order import Order
from kresnet.data.source import Source

# Bytes of the pixels that are read at once; all of CIFAR-10's fit. Of photos of
# 224 × 224 pixels these are seven batches of 256, about what a fast GPU trains
# on in the half second that a chunk lasts. Training holds three times as many:
# a chunk, its parts, and what was read ahead.
MOST_BYTES = 2**28


def most_batches(image: Sequence[int], batch_size: int) -> int:
    """How many batches' pixels are read at once, at least 1."""
    return max(1, MOST_BYTES // (batch_size * math.prod(image)))


class Feed(Order):
    """The order of a source's training images, with pixels where they are read.

    Of a source that is not in memory a thread reads the batches of the next
    iterations. What is read depends on the iteration alone. One thread is
    enough, since what decodes images can use several itself. From the
    iteration `last` on nothing is read ahead. The other arguments are those of
    `Order`.
    """

    def __init__(
        self,
        source: Source,
        indices: np.ndarray,
        batch_size: int,
        seed: int,
        last: int,
        iteration_keys: bool = False,
    ):
        super().__init__(indices, batch_size, seed, iteration_keys)
        self.source = source
        self.last = last
        self._thread: concurrent.futures.ThreadPoolExecutor | None = None
        self._reads: dict[int, concurrent.futures.Future] = {}

    def batches(
        self, first_iteration: int, count: int
    ) -> tuple[np.ndarray, ...]:
        """See `Order.batches`, and as of `Source.read` a KresnetError.

        Of a source that is not in memory there are pixels, too: uint8, shape
        `(count, batch_size, height, width, channels)`.
        """
        batches = super().batches(first_iteration, count)
        if self.source.in_memory:
            return batches
        for iteration in [i for i in self._reads if i < first_iteration]:
            del self._reads[iteration]
        end = first_iteration + count
        ahead = most_batches(self.source.input, self.batch_size)
        for iteration in range(
            first_iteration, max(end, min(end + ahead, self.last))
        ):
            if iteration not in self._reads:
                self._reads[iteration] = self._begin_to_read(iteration)
        reads = [self._reads[i] for i in range(first_iteration, end)]
        pixels = [read.result() for read in reads]
        # One batch is not copied; it is what a large network takes on a CPU.
        return *batches, pixels[0][None] if count == 1 else np.stack(pixels)

    def _begin_to_read(self, iteration: int) -> concurrent.futures.Future:
        if self._thread is None:
            self._thread = concurrent.futures.ThreadPoolExecutor(1, "read")
        images, views = self._images_and_views(iteration)
        return self._thread.submit(self.source.read, "train", images, views)

    def close(self) -> None:
        """Ends the thread, once it has read a batch that it has begun."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        self._thread = None
        self._reads = {}
