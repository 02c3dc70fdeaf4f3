"""Keys of random layers: one 32-bit integer for each image, or an error."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kresnet.layers import FancyPCA, RandomCrop, RandomFlip

IMAGES = np.random.RandomState(0).randint(0, 256, (50, 6, 5, 3), "uint8")
KEYS = np.arange(50, dtype="uint32")


def fancy():
    layer = FancyPCA(0.1)
    layer.adapt(IMAGES / 255)
    return layer


LAYERS = [lambda: RandomCrop(2), RandomFlip, fancy]
NO_KEYS = {
    "one for all": KEYS[:1],
    "one too few": KEYS[:-1],
    "a column": KEYS[:, None],
    "a row": KEYS[None],
    "a scalar": KEYS[0],
    "a list": KEYS.tolist(),
    "floats": KEYS.astype("float32"),
    "booleans": KEYS > 3,
    "objects": KEYS.astype(object),
    "negative": KEYS.astype("int64") - 1,
    "negative and 32 bits": tf.range(-1, 49),
    "33 bits": KEYS.astype("int64") + 2**32,
    "64 bits of TensorFlow's": tf.range(50, dtype="int64") * 2**40,
    "sparse": tf.sparse.from_dense(tf.range(50)),
    "nothing": None,
}


@pytest.mark.parametrize("keys", NO_KEYS.values(), ids=list(NO_KEYS))
@pytest.mark.parametrize("training", [None, True, False])
def test_anything_but_one_key_an_image_is_refused(keys, training):
    for make in LAYERS:
        with pytest.raises(ValueError, match=r"^`keys` must .* Received: "):
            make()(IMAGES, keys, training=training)


@pytest.mark.parametrize("make", LAYERS)
def test_integers_of_any_type_draw_the_same(make):
    layer = make()
    want = keras.ops.convert_to_numpy(layer(IMAGES, KEYS))
    for keys in (
        KEYS.astype("uint8"),
        KEYS.astype("int64"),
        KEYS.astype("uint64"),
        tf.range(50),
        tf.range(50, dtype="int64"),
    ):
        np.testing.assert_array_equal(layer(IMAGES, keys), want)


@pytest.mark.parametrize("make", LAYERS)
def test_symbolic_keys_are_refused_when_the_model_is_made(make):
    images = keras.Input((6, 5, 3))
    for keys in (
        keras.Input((1,), dtype="uint32"),
        keras.Input(()),
        keras.Input((), dtype="bool"),
        keras.Input((), dtype="int64"),  # epoch * 2**32 would be lost
        keras.Input(batch_shape=(7,), dtype="uint32"),
    ):
        batch = keras.Input(batch_shape=(8, 6, 5, 3))
        with pytest.raises(ValueError, match=r"`keys` must .* Received: "):
            make()(images if keys.shape[0] is None else batch, keys)


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_graph_of_unknown_batch_needs_one_key_an_image_too(make, jit_compile):
    layer = make()
    layer(IMAGES, KEYS)
    signature = [
        tf.TensorSpec([None, 6, 5, 3]),
        tf.TensorSpec([None], "uint32"),
    ]
    graph = tf.function(
        lambda images, keys: layer(images, keys),
        input_signature=signature,
        jit_compile=jit_compile,
    )
    images = IMAGES.astype("float32")

    np.testing.assert_allclose(
        graph(images, KEYS), layer(images, KEYS), atol=1e-5
    )
    said = "must.have.shape" if not jit_compile else "must_be_one_for_each"
    for keys in (KEYS[:1], KEYS[:-1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match=said):
            graph(images, keys)


def test_a_counter_of_tf_data_must_be_cast():
    """Its 64 bits would be cut, and epochs with them, in a graph."""
    images = tf.data.Dataset.from_tensor_slices(IMAGES)
    pairs = tf.data.Dataset.zip(images, tf.data.Dataset.range(50)).batch(10)
    flip = RandomFlip()

    with pytest.raises(ValueError, match="cast them to uint32"):
        pairs.map(lambda images, keys: flip(images, keys))
    flipped = pairs.map(lambda x, keys: flip(x, tf.cast(keys, "uint32")))
    np.testing.assert_array_equal(
        np.concatenate(list(flipped)), flip(IMAGES, KEYS)
    )


@pytest.mark.parametrize("make", LAYERS)
def test_images_without_a_batch_are_refused(make):
    for keys in (KEYS[:6], KEYS[:1]):
        with pytest.raises(ValueError, match="`images` must have shape"):
            make()(IMAGES[0], keys)


def test_a_crop_or_flip_of_unknown_size_is_refused_when_it_is_drawn():
    """Outside of training images pass, whatever their size."""
    for make in LAYERS[:2]:
        graph = tf.function(
            make().__call__,
            input_signature=[
                tf.TensorSpec([None, None, None, 3]),
                tf.TensorSpec([None], "uint32"),
            ],
        )
        with pytest.raises(ValueError, match="with known height, width"):
            graph(IMAGES.astype("float32"), KEYS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomCrop(2.0),
        lambda: RandomCrop(True),
        lambda: RandomCrop(None),
        lambda: FancyPCA(float("nan")),
        lambda: FancyPCA(float("inf")),
        lambda: FancyPCA("0.1"),
    ],
)
def test_arguments_that_are_no_such_numbers_are_refused(make):
    with pytest.raises(ValueError, match=r"must be .* Received: "):
        make()
