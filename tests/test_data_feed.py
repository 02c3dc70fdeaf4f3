"""What a source that is not in memory is asked for, and when."""

import threading

import numpy as np
import pytest

from kresnet.data import Feed, Source, feed
from kresnet.errors import BadDataError

COUNT, BATCH, LAST = 20, 4, 10
TIMEOUT = 60  # seconds; none takes a hundredth of it


class Asked(Source):
    """An image's pixels are its index and the eight bytes of its key."""

    name, class_names = "asked", ("a",)
    input = (1, 1, 9)

    def __init__(self):
        self.asked = []
        self.threads = set()
        self.more = threading.Condition()
        self.damaged = None

    def labels(self, split):
        return np.zeros(COUNT, "int32")

    def read(self, split, indices, keys=None):
        if self.damaged in indices:
            raise BadDataError(f"image {self.damaged} is damaged")
        with self.more:
            self.asked.append(indices.tolist())
            self.threads.add(threading.current_thread())
            self.more.notify_all()
        rows = keys.astype("<u8").view("uint8").reshape(-1, 8)
        pixels = np.hstack([indices.astype("uint8")[:, None], rows])
        return pixels.reshape(-1, 1, 1, 9)

    def wait_for(self, count):
        with self.more:
            assert self.more.wait_for(lambda: len(self.asked) >= count, TIMEOUT)


@pytest.fixture
def source():
    return Asked()


@pytest.fixture(autouse=True)
def three_batches(monkeypatch):
    monkeypatch.setattr(feed, "MOST_BYTES", 3 * BATCH * 9 + 1)


def made(source, seed=5, batch=BATCH, images=range(COUNT)):
    return Feed(source, np.array(images), batch, seed, LAST)


def seen(**options):
    """Pixels by the image, one dict an epoch, of three epochs."""
    order = made(Asked(), **options)
    size = order.indices.size
    indices, _, pixels = order.batches(0, -(-3 * size // order.batch_size))
    order.close()
    flat = zip(indices.ravel(), pixels.reshape(-1, 9).tolist(), strict=True)
    pairs = list(flat)
    return [dict(pairs[i * size : (i + 1) * size]) for i in range(3)]


def test_pixels_come_with_the_order_of_images_and_keys(source):
    order = made(source)
    indices, keys, pixels = order.batches(1, 3)
    order.close()

    want = order.batches(1, 3)[:2]
    np.testing.assert_array_equal(indices, want[0])
    np.testing.assert_array_equal(keys, want[1])
    assert pixels.shape == (3, BATCH, 1, 1, 9)
    np.testing.assert_array_equal(pixels[..., 0, 0, 0], indices)


def test_a_view_depends_on_seed_epoch_and_image_alone():
    """On neither the size of a batch nor the images that are left out."""
    epochs = seen()

    assert seen(batch=3) == epochs
    fewer = seen(images=range(5, 15))
    for all_images, some in zip(epochs, fewer, strict=True):
        assert some.items() <= all_images.items()
    views = [tuple(view) for epoch in epochs for view in epoch.values()]
    assert len(set(views)) == 3 * COUNT
    others = [tuple(view) for epoch in seen(seed=6) for view in epoch.values()]
    assert not set(views) & set(others)


def test_a_thread_reads_as_many_batches_ahead_as_the_bound_allows(source):
    order = made(source)
    order.batches(0, 2)
    source.wait_for(5)
    order.close()

    assert len(source.asked) == 5
    assert threading.current_thread() not in source.threads
    assert len(source.threads) == 1
    assert not any(thread.is_alive() for thread in source.threads)


def test_a_batch_is_read_once_also_where_it_is_measured_in_between(source):
    order = made(source)
    for first, count in [(0, 2), (2, 1), (2, 3), (5, 1), (5, 4), (9, 1)]:
        order.batches(first, count)
    order.batch(LAST)  # a measurement after the last iteration
    order.close()

    assert len(source.asked) == LAST + 1


def test_nothing_is_read_ahead_from_the_last_iteration_on(source):
    order = made(source)
    order.batches(LAST - 2, 1)
    order.close()

    assert len(source.asked) <= 2


def test_what_is_wrong_with_an_image_is_said_where_its_batch_is_asked_for(
    source,
):
    order = made(source)
    source.damaged = order.batches(4, 1)[0][0, 0]
    order.close()

    order.batches(2, 1)
    with pytest.raises(BadDataError, match="is damaged"):
        order.batches(3, 2)
    order.close()


def test_one_iteration_is_held_however_large_its_images(source):
    assert feed.most_batches(source.input, BATCH) == 3
    assert feed.most_batches(source.input, 1_000) == 1
