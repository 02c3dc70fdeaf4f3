"""Images with keys for `fit`: other draws in every epoch, whole batches."""

import itertools

import keras
import numpy as np
import pytest

import kresnet
from kresnet.data import Order

IMAGES = np.random.RandomState(0).randint(0, 256, (50, 4, 4, 1), "uint8")
LABELS = np.arange(50)


class Record(keras.layers.Layer):
    """Passes images on and keeps what came with them."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def call(self, pixels, keys):
        if hasattr(keys, "numpy"):
            self.seen.append((np.asarray(pixels), np.asarray(keys)))
        return keras.ops.cast(pixels, "float32")


def recorder():
    record = Record()
    pixels = keras.Input((4, 4, 1), dtype="uint8")
    keys = keras.Input((), dtype="uint32")
    x = keras.layers.Flatten()(record(pixels, keys))
    model = keras.Model([pixels, keys], keras.layers.Dense(1)(x))
    model.compile("sgd", "mse", run_eagerly=True)
    return model, record


def test_fit_sees_the_iterations_of_order_and_new_keys_in_every_epoch():
    """Also in a second `fit`."""
    model, record = recorder()
    batches = kresnet.KeyedBatches(IMAGES, LABELS, batch_size=16, seed=3)
    order = Order(np.arange(50), 16, 3)

    for epochs in (2, 1):
        model.fit(batches, epochs=epochs, shuffle=False, verbose=0)

    assert len(record.seen) == 9
    for i, (pixels, keys) in enumerate(record.seen):
        places, want = order.batch(i)
        np.testing.assert_array_equal(keys, want)
        np.testing.assert_array_equal(pixels, IMAGES[places])
    assert np.unique([keys for _, keys in record.seen]).size > 9 * 16 - 2


def test_shuffled_batches_keep_their_keys_and_differ_by_epoch():
    model, record = recorder()
    batches = kresnet.KeyedBatches(IMAGES, LABELS, 16, 3)

    model.fit(batches, epochs=2, verbose=0)

    order = Order(np.arange(50), 16, 3)
    for epoch in range(2):
        got = {keys.tobytes() for _, keys in record.seen[3 * epoch :][:3]}
        want = {order.batch(3 * epoch + i)[1].tobytes() for i in range(3)}
        assert got == want


def test_a_training_that_goes_on_begins_at_its_epoch():
    later = kresnet.KeyedBatches(IMAGES, LABELS, 16, 3, first_epoch=2)
    batches = kresnet.KeyedBatches(IMAGES, LABELS, 16, 3)
    for _ in range(2):
        assert len(list(batches)) == 3

    for ((x, keys), y), ((other_x, other_keys), other_y) in zip(
        later, batches, strict=True
    ):
        np.testing.assert_array_equal(keys, other_keys)
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)


def test_every_batch_is_whole_and_labels_belong_to_their_images():
    batches = kresnet.KeyedBatches(IMAGES, LABELS, 16, 0)
    assert len(batches) == 3
    for (images, keys), labels in itertools.islice(batches, 3):
        assert images.shape == (16, 4, 4, 1)
        assert keys.dtype == np.uint32
        np.testing.assert_array_equal(images, IMAGES[labels])


@pytest.mark.parametrize(
    "change",
    [
        {"labels": LABELS[:-1]},
        {"labels": 3},
        {"batch_size": 51},
        {"batch_size": 0},
        {"batch_size": 16.0},
        {"seed": -1},
        {"seed": None},
        {"seed": 2**63},
        {"first_epoch": -1},
        {"first_epoch": True},
    ],
)
def test_arguments_out_of_range_are_refused(change):
    arguments = {"images": IMAGES, "labels": LABELS, "batch_size": 16}
    with pytest.raises(ValueError, match=r"must be .* Received: "):
        kresnet.KeyedBatches(**{**arguments, "seed": 0, **change})


@pytest.mark.parametrize(
    "setting", [{"workers": 2}, {"use_multiprocessing": True}]
)
def test_workers_that_would_take_batches_early_are_refused(setting):
    batches = kresnet.KeyedBatches(IMAGES, LABELS, 16, 0)
    for name, value in setting.items():
        setattr(batches, name, value)
    with pytest.raises(ValueError, match="`workers` must be 1"):
        next(iter(batches))


@pytest.mark.parametrize("index", [-1, 3])
def test_a_batch_that_an_epoch_does_not_have_is_no_batch(index):
    with pytest.raises(IndexError, match=f"index={index}"):
        kresnet.KeyedBatches(IMAGES, LABELS, 16, 0)[index]
