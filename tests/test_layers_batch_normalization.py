"""Batch normalisation over groups of images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kresnet.layers import BatchNormalization
from kresnet.layers.batch_normalization import (
    fused_normalize_groups,
    normalize_groups,
)


@pytest.fixture
def images():
    generator = np.random.default_rng(0)
    return generator.normal(3.0, 2.0, (12, 5, 4, 3)).astype("float32")


def test_each_group_is_normalised_by_its_own_statistics(images):
    layer = BatchNormalization(images_per_statistic=4, epsilon=1e-5)

    got = np.asarray(layer(images, training=True))

    for start in (0, 4, 8):
        group = images[start : start + 4].astype("float64")
        mean = group.mean((0, 1, 2))
        deviation = np.sqrt(group.var((0, 1, 2)) + 1e-5)
        want = (group - mean) / deviation
        np.testing.assert_allclose(got[start : start + 4], want, atol=2e-5)


def test_one_group_agrees_with_the_layer_of_keras(images):
    ours = BatchNormalization(momentum=0.9, epsilon=1e-3)
    theirs = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)

    for _ in range(3):
        ours_out = np.asarray(ours(images, training=True))
        theirs_out = np.asarray(theirs(images, training=True))
        np.testing.assert_allclose(ours_out, theirs_out, atol=1e-5)

    np.testing.assert_allclose(
        np.asarray(ours(images)), np.asarray(theirs(images)), atol=1e-5
    )
    np.testing.assert_allclose(
        ours.moving_variance, theirs.moving_variance, rtol=1e-5
    )


def test_without_momentum_nothing_is_left_of_earlier_averages(images):
    """Bit for bit: re-estimated statistics are made of this."""
    fresh, used = (BatchNormalization(momentum=0.0) for _ in range(2))
    used(1e4 * images, training=True)

    for layer in (fresh, used):
        layer(1e-2 * images, training=True)

    np.testing.assert_array_equal(fresh.moving_mean, used.moving_mean)
    np.testing.assert_array_equal(fresh.moving_variance, used.moving_variance)


def test_a_frozen_layer_is_in_inference_as_that_of_keras_is(images):
    """Also where scale and offset alone are frozen: then it is not."""
    outputs = []
    for layer in (BatchNormalization(), keras.layers.BatchNormalization()):
        layer(images)
        layer.momentum, layer.epsilon = 0.9, 1e-3
        layer.gamma.trainable = layer.beta.trainable = False
        layer(images, training=True)
        moved = np.array(layer.moving_mean.value)
        layer.trainable = False
        outputs.append(np.asarray(layer(images, training=True)))
        np.testing.assert_array_equal(layer.moving_mean, moved)
        assert np.any(moved != 0)

    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-5)


def test_moving_averages_take_the_mean_over_groups(images):
    layer = BatchNormalization(images_per_statistic=3, momentum=0.75)

    layer(images, training=True)

    groups = images.astype("float64").reshape(4, -1, 3)
    mean, variance = groups.mean(1).mean(0), groups.var(1).mean(0)
    np.testing.assert_allclose(layer.moving_mean, 0.25 * mean, rtol=1e-5)
    np.testing.assert_allclose(
        layer.moving_variance, 0.75 + 0.25 * variance, rtol=1e-5
    )


@pytest.mark.parametrize("per_group", [None, 2, 6])
def test_the_fused_kernel_computes_what_separate_operations_do(
    images, per_group
):
    x = tf.constant(images)
    gamma, beta = tf.constant([0.5, 1.0, -2.0]), tf.constant([0.1, 0.0, 3.0])
    upstream = tf.constant(
        np.random.default_rng(1).normal(size=images.shape).astype("float32")
    )
    results = []
    for function in (normalize_groups, fused_normalize_groups):
        with tf.GradientTape() as tape:
            tape.watch([x, gamma, beta])
            outputs, mean, variance = function(x, gamma, beta, per_group, 1e-5)
            loss = tf.reduce_sum(outputs * upstream)
        gradients = tape.gradient(loss, [x, gamma, beta])
        results.append([outputs, mean, variance, *gradients])

    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-4)


def test_a_batch_that_groups_do_not_divide_is_refused(images):
    layer = BatchNormalization(images_per_statistic=5)

    with pytest.raises(ValueError, match=r"images_per_statistic=5.* of 12"):
        layer(images, training=True)


def test_fit_names_a_last_batch_that_groups_do_not_divide(images):
    """The batch is unknown when it is compiled."""
    model = keras.Sequential(
        [
            keras.Input((5, 4, 3)),
            BatchNormalization(images_per_statistic=4),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    targets = np.zeros(12)
    model.fit(images, targets, batch_size=4, verbose=0)

    said = r"images_per_statistic=4, a batch of\] \[2\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        model.fit(images[:10], targets[:10], batch_size=8, verbose=0)


def test_xla_names_a_batch_that_groups_do_not_divide(images):
    """A name in its message, at least."""
    layer = BatchNormalization(images_per_statistic=4)
    layer.build((None, 5, 4, 3))
    normalise = tf.function(
        lambda x: layer(x, training=True),
        input_signature=[tf.TensorSpec([None, 5, 4, 3])],
        jit_compile=True,
    )
    assert normalise(images).shape == images.shape

    said = "images_per_statistic_must_divide_the_batch"
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        normalise(images[:10])


@pytest.mark.parametrize("per_group", [None, 4])
def test_images_of_unknown_number_and_size_are_normalised_alike(
    images, per_group
):
    layer, known = (BatchNormalization(per_group) for _ in range(2))
    layer.build((None, None, None, 3))
    graph = tf.function(
        lambda x: layer(x, training=True),
        input_signature=[tf.TensorSpec([None, None, None, 3])],
    )

    np.testing.assert_allclose(
        graph(images), known(images, training=True), atol=1e-5
    )
    for got, want in zip(layer.weights, known.weights, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_what_are_no_images_with_channels_is_refused():
    for shape in ((4, 3), (4, 5, 3), (4, 2, 5, 4, 3)):
        with pytest.raises(ValueError, match=f"expected ndim=4.*={len(shape)}"):
            BatchNormalization()(np.zeros(shape, "float32"))
    with pytest.raises(ValueError, match="known number of channels"):
        BatchNormalization()(keras.Input((5, 4, None)))


@pytest.mark.parametrize(
    "arguments",
    [
        {"images_per_statistic": 0},
        {"images_per_statistic": 2.0},
        {"images_per_statistic": True},
        {"momentum": 1.0},
        {"momentum": float("nan")},
        {"momentum": "0.9"},
        {"epsilon": 0.0},
        {"epsilon": float("nan")},
        {"epsilon": float("inf")},
    ],
)
def test_arguments_out_of_range_are_refused(arguments):
    name = next(iter(arguments))
    with pytest.raises(ValueError, match=f"`{name}` must .* Received: {name}="):
        BatchNormalization(**arguments)


def test_it_survives_saving_in_another_keras_program(images, tmp_path):
    model = keras.Sequential(
        [keras.Input((5, 4, 3)), BatchNormalization(images_per_statistic=4)]
    )
    model(images, training=True)
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert loaded.layers[0].images_per_statistic == 4
    np.testing.assert_array_equal(loaded(images), model(images))


def test_bytes_are_normalised_as_numbers():
    """Not cut to bytes again."""
    values = np.random.default_rng(0).integers(0, 256, (8, 5, 5, 3), "uint8")
    for training in (True, False):
        ours, theirs = (
            layer(values, training=training)
            for layer in (
                BatchNormalization(),
                keras.layers.BatchNormalization(epsilon=1e-5),
            )
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_batch_of_no_pixels_has_no_statistics(images):
    for empty in (images[:0], images[:, :0]):
        for per_group in (None, 4):
            layer = BatchNormalization(per_group)
            with pytest.raises(ValueError, match="at least one pixel"):
                layer(empty, training=True)
            assert layer(empty).shape == empty.shape


def test_groups_of_numpy_s_small_integers_do_not_overflow(images):
    """Sixteen images of more than eight pixels are beyond a byte."""
    want, got = (
        BatchNormalization(count, epsilon=1e-6)(images, training=True)
        for count in (2, np.int8(2))
    )
    np.testing.assert_array_equal(got, want)
    assert type(BatchNormalization(np.int8(2)).images_per_statistic) is int


def test_a_layer_of_float16_takes_float32_statistics():
    """Variances of such images are beyond float16."""
    values = np.random.default_rng(0).normal(0, 900, (8, 5, 5, 3))
    for per_group in (None, 4):
        layer = BatchNormalization(per_group, dtype="float16")
        outputs = np.array(layer(values, training=True), "float32")
        assert outputs.std() == pytest.approx(1, abs=0.01)


FLOAT64 = """
import os
os.environ["JAX_ENABLE_X64"] = "1"
import sys
import numpy as np
from kresnet.layers import BatchNormalization
images = np.load("images.npy")
layer = BatchNormalization(images_per_statistic=4, momentum=0, dtype="float64")
outputs = layer(images, training=True)
for array in (outputs, layer.moving_mean, layer.moving_variance):
    sys.stdout.buffer.write(np.asarray(array, "float64").tobytes())
"""


def test_float64_is_float64_on_jax_too(images, on_jax):
    groups = images.astype("float64").reshape(3, 4, 5, 4, 3)
    mean = groups.mean((1, 2, 3), keepdims=True)
    variance = groups.var((1, 2, 3), keepdims=True)
    want = (groups - mean) / np.sqrt(variance + 1e-5)

    got = np.frombuffer(on_jax(FLOAT64, images=images.astype("float64")))

    np.testing.assert_allclose(got[:-6], want.reshape(-1), rtol=0, atol=1e-13)
    averages = [mean.mean(0).reshape(-1), variance.mean(0).reshape(-1)]
    np.testing.assert_allclose(got[-6:], np.concatenate(averages), rtol=1e-13)
