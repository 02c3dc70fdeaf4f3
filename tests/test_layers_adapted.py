"""Statistics of data that come in parts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kresnet.layers import (
    ChannelMean,
    ChannelStandardize,
    FancyPCA,
    PerPixelMean,
    ZCAWhitening,
)
from kresnet.layers.adapted import (
    image_batches,
    mean_and_covariance,
    pixels,
)

ROWS = np.random.RandomState(0).normal(size=(1_000, 5)) @ np.diag(
    [1, 2, 3, 4, 5]
)
IMAGES = np.random.RandomState(1).randint(0, 256, (50, 6, 5, 3), "uint8")
LAYERS = [
    PerPixelMean,
    ChannelMean,
    ChannelStandardize,
    FancyPCA,
    lambda: ZCAWhitening(1.0),
]
each_layer = pytest.mark.parametrize("make", LAYERS)


@pytest.mark.parametrize("parts", [[1_000], [1, 999], [300, 300, 400]])
def test_parts_give_the_mean_and_covariance_of_the_whole(parts):
    cuts = np.cumsum(parts)[:-1]

    mean, covariance = mean_and_covariance(iter(np.split(ROWS, cuts)))

    np.testing.assert_allclose(mean, ROWS.mean(axis=0), atol=1e-14)
    want = np.cov(ROWS, rowvar=False, bias=True)
    np.testing.assert_allclose(covariance, want, atol=1e-13)


def test_a_large_mean_does_not_drown_the_variance():
    """In float32 1e6 + 0.01 is 1e6, and squares of 1e6 need 13 digits more."""
    far = ROWS + 1e6

    mean, covariance = mean_and_covariance([far[:500], far[500:]])

    np.testing.assert_allclose(mean, far.mean(axis=0), rtol=1e-14)
    want = np.cov(far - 1e6, rowvar=False, bias=True)
    np.testing.assert_allclose(covariance, want, rtol=1e-6, atol=1e-6)


def test_bytes_and_float32_are_summed_in_float64():
    """In float32, adding 1 to 2**24 changes nothing."""
    bytes_ = np.full((2**12, 1), 255, np.uint8)
    mean, covariance = mean_and_covariance([bytes_] * 20)
    assert mean == 255
    assert covariance == 0

    large = np.full((1, 1), 2.0**24, np.float32)
    ones = np.ones((2**10, 1), np.float32)
    mean, _ = mean_and_covariance([large, *([ones] * 16)])
    assert mean == pytest.approx((2**24 + 2**14) / 16_385, rel=1e-12)


def test_covariances_are_symmetric_to_the_bit():
    _, covariance = mean_and_covariance([ROWS[:333], ROWS[333:]])

    np.testing.assert_array_equal(covariance, covariance.T)


def test_an_array_comes_in_bounded_batches_and_in_order():
    images = np.arange(2_345).reshape(-1, 1, 1, 1)

    batches = list(image_batches(images))

    assert max(map(len, batches)) == 1_000
    np.testing.assert_array_equal(np.concatenate(batches), images)


def test_empty_batches_are_passed_over_if_others_are_not():
    empty, full = np.zeros((0, 2, 2, 3)), np.ones((4, 2, 2, 3))

    assert len(list(image_batches([empty, full, empty]))) == 1
    for nothing in ([], [empty], empty):
        with pytest.raises(ValueError, match="`data` must"):
            list(image_batches(nothing))


def test_pixels_are_the_colours_of_all_places():
    images = np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3)

    [colours] = pixels([images])

    assert colours.shape == (40, 3)
    np.testing.assert_array_equal(colours[21], images[1, 0, 1])


class Batches(keras.utils.PyDataset):
    """Images in batches of 10, with labels or for ever if asked."""

    def __init__(self, labels=False, count=5):
        super().__init__()
        self.labels = labels
        self.count = count

    @property
    def num_batches(self):
        return self.count

    def __getitem__(self, index):
        images = IMAGES[10 * index : 10 * index + 10]
        return (images, np.zeros(10)) if self.labels else images


def weights(make, data):
    layer = make()
    layer.adapt(data)
    return [keras.ops.convert_to_numpy(weight) for weight in layer.weights]


@each_layer
def test_tensors_and_data_sets_adapt_as_the_array_they_hold(make):
    slices = tf.data.Dataset.from_tensor_slices
    want = weights(make, IMAGES)
    for data in (
        tf.constant(IMAGES),
        keras.Variable(IMAGES.astype("float32")),
        tf.cast(IMAGES, "bfloat16"),  # holds bytes of up to 256 exactly
        slices(IMAGES).batch(7),
        Batches(),
        [IMAGES[:7], tf.constant(IMAGES[7:])],
        (IMAGES[i : i + 9] for i in range(0, 50, 9)),
    ):
        for got, value in zip(weights(make, data), want, strict=True):
            np.testing.assert_allclose(got, value, rtol=1e-4, atol=1e-3)


NOT_IMAGES = {
    "one image": IMAGES[0],
    "a list of single images": list(IMAGES),
    "nested lists": IMAGES.tolist(),
    "images and labels": (IMAGES, np.zeros(50)),
    "pairs": [(IMAGES, np.zeros(50))],
    "a data set with labels": tf.data.Dataset.from_tensor_slices(
        (IMAGES, np.zeros(50))
    ).batch(7),
    "a data set of single images": tf.data.Dataset.from_tensor_slices(IMAGES),
    "a data set of dicts": tf.data.Dataset.from_tensors({"images": IMAGES}),
    "an endless data set": tf.data.Dataset.from_tensors(IMAGES).repeat(),
    "an empty data set": tf.data.Dataset.from_tensors(IMAGES).take(0),
    "batches with labels": Batches(labels=True),
    "endless batches": Batches(count=None),
    "ragged images": np.array([IMAGES[0], IMAGES[1][:3]], dtype=object),
    "complex numbers": IMAGES * 1j,
    "strings": IMAGES[:2].astype(str),
    "a symbolic tensor": keras.Input((6, 5, 3)),
    "no pixels": IMAGES[:, :0],
    "a mapping": {"images": IMAGES},
    "a path": "images.npy",
    "nothing": None,
    "NaN": np.where(IMAGES == 3, np.nan, IMAGES),
    "infinity": [IMAGES, np.where(IMAGES == 3, np.inf, IMAGES)],
    "numbers beyond float32": IMAGES * 1e39,
}


@pytest.mark.parametrize("data", NOT_IMAGES.values(), ids=list(NOT_IMAGES))
def test_what_is_no_batch_of_finite_images_is_refused(data):
    for make in LAYERS:
        layer = make()
        with pytest.raises(ValueError, match=r"^`data` must .* Received: "):
            layer.adapt(data)
        assert not layer.built


@each_layer
@pytest.mark.parametrize("odd", [IMAGES[..., :1], np.tile(IMAGES, 2)])
def test_channels_must_be_those_of_the_first_images_and_of_the_layer(make, odd):
    adapted, built, named = make(), make(), "`images` must have shape"
    adapted.adapt(IMAGES)
    before = [np.array(weight) for weight in adapted.weights]
    built.build((None, 6, 5, 3))

    for layer, data in ((adapted, odd), (built, odd), (make(), [IMAGES, odd])):
        with pytest.raises(ValueError, match=named):
            layer.adapt(data)

    for weight, value in zip(adapted.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    keys = [] if make is not FancyPCA else [np.arange(50, dtype="uint32")]
    with pytest.raises(ValueError, match=named):
        adapted(odd, *keys)


def test_images_are_not_stretched_to_the_size_of_the_mean():
    """Broadcasting would make an image of one pixel as large as the mean."""
    for make in (PerPixelMean, lambda: ZCAWhitening(1.0)):
        layer = make()
        layer.adapt(IMAGES)
        for other in (IMAGES[:, :1, :1], keras.Input((None, None, 3))):
            with pytest.raises(ValueError, match=r"\(batch, 6, 5, 3\)"):
                layer(other)


@each_layer
def test_images_have_four_axes(make):
    for shape in ((None, 30), (None, 6, 5), (None, 2, 6, 5, 3)):
        layer = make()
        with pytest.raises(ValueError, match="`images` must have shape"):
            layer.build(shape)


@pytest.mark.parametrize("make", [PerPixelMean, ChannelMean, LAYERS[-1]])
def test_one_image_is_treated_as_it_is_in_a_batch(make):
    layer = make()
    layer.adapt(IMAGES)
    np.testing.assert_allclose(
        layer(IMAGES[3]), layer(IMAGES[3:4])[0], rtol=1e-5, atol=1e-4
    )


def test_statistics_that_float32_cannot_hold_are_refused():
    layer = FancyPCA()
    with pytest.raises(ValueError, match="too large for `eigenvalues`"):
        layer.adapt(IMAGES * 1e36)
    assert not layer.built
