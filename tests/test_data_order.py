"""The order of images and keys: pure functions of seed and iteration."""

import numpy as np
import pytest

from kresnet.data import Order


def _positions(order: Order, first: int, last: int) -> np.ndarray:
    """The images of positions `first` to `last` of the endless sequence."""
    size = order.batch_size
    begin = first // size
    images, _ = order.batches(begin, last // size + 1 - begin)
    return images.ravel()[first - begin * size : last - begin * size]


@pytest.mark.parametrize(
    ("images", "batch_size"), [(450, 128), (100, 100), (90, 7), (10, 64)]
)
def test_every_epoch_holds_each_image_exactly_once(images, batch_size):
    indices = np.arange(images) * 3 + 5
    order = Order(indices, batch_size, seed=0)
    for epoch in range(4):
        seen = _positions(order, epoch * images, (epoch + 1) * images)
        np.testing.assert_array_equal(np.sort(seen), indices)


def test_epochs_and_seeds_differ_in_their_order():
    first = Order(np.arange(1_000), 100, seed=0)
    other = Order(np.arange(1_000), 100, seed=1)
    orders = [
        _positions(first, 0, 1_000),
        _positions(first, 1_000, 2_000),
        _positions(other, 0, 1_000),
    ]
    for i, one in enumerate(orders):
        for another in orders[:i]:
            # Two independent permutations agree in one place on average.
            assert np.sum(one == another) < 10


def test_a_batch_is_computed_without_those_before_it():
    indices = np.arange(450)
    images, keys = Order(indices, 128, seed=3).batches(0, 40)
    for iteration in (39, 3, 17, 0):
        got = Order(indices, 128, seed=3).batch(iteration)
        np.testing.assert_array_equal(got[0], images[iteration])
        np.testing.assert_array_equal(got[1], keys[iteration])


def test_chunks_of_batches_join_to_one():
    order = Order(np.arange(50), 20, seed=1)
    images, keys = order.batches(5, 12)
    chunks = [order.batches(5 + 3 * i, 3) for i in range(4)]
    np.testing.assert_array_equal(
        np.concatenate([c[0] for c in chunks]), images
    )
    np.testing.assert_array_equal(np.concatenate([c[1] for c in chunks]), keys)


def test_arrays_have_the_promised_types_and_shapes():
    order = Order(np.arange(50), 20, seed=0)
    for count in (0, 1, 7):
        images, keys = order.batches(2, count)
        assert images.shape == keys.shape == (count, 20)
        assert (images.dtype, keys.dtype) == (np.int32, np.uint32)
    assert order.batch(0)[0].shape == (20,)


def _philox(key: tuple[int, int], number: int, count: int) -> list[int]:
    """Philox4x64-10 of Salmon et al. 2011, in Python's integers."""
    words = []
    for block in range(-(-count // 4)):
        # NumPy counts up before each block, the first included.
        c0, c1, c2, c3 = block + 1, number, 0, 0
        k0, k1 = key
        for _ in range(10):
            high0, low0 = divmod(0xD2E7470EE14C6C93 * c0, 2**64)
            high1, low1 = divmod(0xCA5A826395121157 * c2, 2**64)
            c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
            k0 = (k0 + 0x9E3779B97F4A7C15) % 2**64
            k1 = (k1 + 0xBB67AE8584CAA73B) % 2**64
        words += [c0, c1, c2, c3]
    return words[:count]


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1])
def test_order_and_keys_are_those_of_the_published_generator(seed):
    """The same on every platform: nothing but Philox and sorting."""
    order = Order(np.arange(30), 10, seed)
    for epoch in (0, 1, 41):
        words = _philox((seed, 1), epoch, 30)
        want = sorted(range(30), key=words.__getitem__)
        got = _positions(order, epoch * 30, epoch * 30 + 30)
        assert got.tolist() == want
    for iteration in (0, 5, 64_000):
        want = [word >> 32 for word in _philox((seed, 2), iteration, 10)]
        assert order.batch(iteration)[1].tolist() == want


def test_keys_are_not_repeated_over_a_whole_run():
    """The number of equal pairs is that of the birthday problem."""
    order = Order(np.arange(45_000), 128, seed=0)
    _, keys = order.batches(0, 2_000)
    repeated = keys.size - np.unique(keys).size
    expected = keys.size**2 / 2 / 2**32  # 7.6, a Poisson variable
    assert repeated < expected + 6 * expected**0.5


def test_keys_differ_between_seeds_and_from_the_permutation():
    one = Order(np.arange(1_000), 1_000, seed=0).batch(0)[1]
    other = Order(np.arange(1_000), 1_000, seed=1).batch(0)[1]
    assert np.intersect1d(one, other).size < 5


def test_images_and_keys_are_independent():
    """Were both sorted from one stream, this correlation would be 1."""
    images, keys = Order(np.arange(10_000), 10_000, seed=0).batch(0)
    ranks = np.argsort(np.argsort(keys))
    for axis in (images, np.argsort(images)):
        assert abs(np.corrcoef(axis, ranks)[0, 1]) < 0.05


def test_the_largest_seed_is_accepted():
    largest = Order(np.arange(10), 5, seed=2**63 - 1).batch(0)
    beside = Order(np.arange(10), 5, seed=2**63 - 2).batch(0)
    assert not np.array_equal(largest[1], beside[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.arange(0), 1, 0), "`indices` must"),
        ((np.zeros((2, 2)), 1, 0), "`indices` must"),
        ((np.arange(5), 0, 0), "`batch_size` must"),
        ((np.arange(5), 1, -1), "`seed` must"),
        ((np.arange(5), 1, 2**63), "`seed` must"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Order(*arguments)


def test_negative_iterations_are_refused():
    order = Order(np.arange(5), 1, 0)
    with pytest.raises(ValueError, match="must not be negative"):
        order.batches(-1, 1)
    with pytest.raises(ValueError, match="must not be negative"):
        order.batches(0, -1)
