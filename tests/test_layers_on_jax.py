"""The layers with Keras on JAX, in other people's programs."""

import json

PROGRAM = """
import json
import sys

import jax.numpy as jnp
import keras
import numpy as np
import tensorflow as tf

from kresnet.data.keyed_batches import KeyedBatches
from kresnet.layers import *

images = np.random.RandomState(0).randint(0, 256, (50, 6, 5, 3), "uint8")
keys = np.arange(50, dtype="uint32")
said = {}


def differences(got, want):
    got = np.concatenate([np.asarray(part, "float32") for part in got])
    return float(np.abs(got - np.asarray(want, "float32")).max())


def refused(name, call, *arguments):
    try:
        call(*arguments)
        said[name] = "nothing"
    except Exception as error:
        said[name] = str(error)


pairs = tf.data.Dataset.from_tensor_slices((images, keys)).batch(20)
for make in (
    PerPixelMean, ChannelMean, ChannelStandardize, lambda: ZCAWhitening(9.0),
    FancyPCA, lambda: RandomCrop(2), RandomFlip,
):
    layer, other = make(), make()
    name = type(layer).__name__
    keyed = isinstance(layer, (FancyPCA, RandomCrop, RandomFlip))
    if hasattr(layer, "adapt"):
        layer.adapt(images)
        for data in (
            jnp.asarray(images), tf.constant(images), pairs.map(lambda x, k: x)
        ):
            other.adapt(data)
            for got, want in zip(other.weights, layer.weights):
                np.testing.assert_allclose(
                    got.value, want.value, rtol=1e-4, atol=1e-3
                )
        refused(f"{name} pairs", layer.adapt, pairs)
    if keyed:
        mapped = pairs.map(lambda x, k: layer(x, keys=k))
        want = layer(images, keys)
        for kind, few in (
            ("one", keys[:1]), ("column", keys[:, None]), ("floats", keys / 1),
            ("tensor", jnp.arange(49)), ("33 bits", keys + np.int64(2**32)),
        ):
            refused(f"{name} {kind}", layer, images, few)
    else:
        mapped = pairs.map(lambda x, k: layer(x))
        want = layer(images)
        single = pairs.unbatch().take(5).map(lambda x, k: layer(x))
        one_by_one = np.stack([np.asarray(x) for x in single])
        np.testing.assert_allclose(
            one_by_one, np.asarray(want)[:5], rtol=1e-4, atol=1e-3
        )
    assert mapped.element_spec.shape.as_list() == [None, 6, 5, 3]
    said[f"{name} mapped"] = differences(mapped, want)

for layer in (RandomCrop(2), RandomFlip(), FancyPCA()):
    assert layer(images[:0], keys[:0]).shape == (0, 6, 5, 3)
mean = images.mean((1, 2))
np.testing.assert_allclose(GlobalAveragePool()(images), mean, rtol=1e-5)
white = np.asarray(BatchNormalization()(images, training=True))
assert abs(white.std() - 1) < 1e-3
refused("empty", lambda: BatchNormalization()(images[:0], training=True))
floats = images[:16].astype("float32")
sizes = keras.Input((None, None, 3))
norm = BatchNormalization(8)
model = keras.Model(sizes, GlobalAveragePool()(ShortcutA(5, 2)(norm(sizes))))
assert model(floats, training=True).shape == (16, 5)
refused("batch", lambda: norm(floats[:10], training=True))
refused("rank", BatchNormalization(), np.zeros((4, 3), "float32"))


class Record(keras.layers.Layer):
    def call(self, pixels, keys):
        if not isinstance(keys, keras.KerasTensor):
            try:
                seen.append(np.asarray(keys).tolist())
            except Exception:
                pass
        return keras.ops.cast(pixels, "float32")


seen = []
inputs = keras.Input((6, 5, 3)), keras.Input((), dtype="uint32")
x = keras.layers.Flatten()(Record()(*inputs))
model = keras.Model(inputs, keras.layers.Dense(1)(x))
model.compile("sgd", "mse", run_eagerly=True)
batches = KeyedBatches(images, np.zeros(50), 16, 0)
seen.clear()
model.fit(batches, epochs=2, shuffle=False, verbose=0)
said["keys"] = seen[-6:]
sys.stdout.write(json.dumps(said))
"""


def test_layers_adapt_map_and_refuse_as_on_tensorflow(on_jax):
    import numpy as np

    from kresnet.data import Order

    said = json.loads(on_jax(PROGRAM))

    order = Order(np.arange(50), 16, 0)
    want = [order.batch(i)[1].tolist() for i in range(6)]
    assert said.pop("keys") == want
    mapped = {name for name in said if name.endswith(" mapped")}
    assert len(mapped) == 7
    for name in mapped:
        # Another batch is another sum of rounded products in whitening.
        assert said[name] <= (1e-3 if name.startswith("ZCA") else 0), name
    for name, text in said.items() - {(n, said[n]) for n in mapped}:
        if name.endswith("pairs"):
            assert "`data` must be numbers of shape" in text
        elif name == "batch":
            assert "images_per_statistic=8, a batch of 10" in text
        elif name == "empty":
            assert "`inputs` must hold at least one pixel" in text
        elif name == "rank":
            assert "expected ndim=4, found ndim=2" in text
        else:
            assert text.startswith("`keys` must be an integer tensor"), name
