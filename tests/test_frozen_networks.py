"""Networks and parts of them that another Keras program froze."""

import keras
import numpy as np
import pytest

from kresnet import build_model
from kresnet.data.source import ARRAYS, make_dataset
from kresnet.layers import BatchNormalization, Rematerialized
from kresnet.network import build_transforms, training_model
from kresnet.spec import load_spec
from kresnet.training.loop.optimizer import CoupledSGD
from kresnet.training.loop.steps_tensorflow import Steps

# Three blocks of the same shape.
STAGES = "[{block: basic, shortcut: A, blocks: 3, width: 16, stride: 1}]"
# Trains a classifier on a frozen network; prints what moved of the network.
# Its stem is not rematerialised, its blocks are.
PROGRAM = f"""
import keras, numpy as np
import kresnet

images = np.random.default_rng(0).normal(5.0, 2.0, (48, 8, 8, 1))
images, labels = images.astype("float32"), np.arange(48) % 10
spec = kresnet.load_spec("digits", ["model.stages={STAGES}"]).model
network = kresnet.build_model(spec, 0, rematerialize=True)
network.trainable = False
classifier = keras.layers.Dense(10)
model = keras.Sequential([keras.Input((8, 8, 1)), network, classifier])
model.compile(
    "sgd",
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    jit_compile=keras.backend.backend() == "jax",
)

def values(part):
    return [keras.ops.convert_to_numpy(v.value) for v in part.variables]

before, kernel = values(network), values(classifier)[0]
model.fit(images, labels, batch_size=16, epochs=1, verbose=0)
assert not np.array_equal(kernel, values(classifier)[0])
after = zip(network.variables, before, values(network), strict=True)
print([v.path for v, old, new in after if not np.array_equal(old, new)])
"""


def test_training_a_classifier_on_it_moves_nothing_of_a_frozen_network(capsys):
    exec(PROGRAM, {})

    assert capsys.readouterr().out == "[]\n"


def test_nor_does_it_on_jax(on_jax):
    pytest.importorskip("jax")

    assert on_jax(PROGRAM) == b"[]\n"


def three_blocks(rematerialize):
    spec = load_spec("digits", [f"model.stages={STAGES}"]).model
    return build_model(spec, 0, rematerialize=rematerialize)


def freeze(network, beginnings, frozen=True):
    for layer in network._flatten_layers(recursive=True):
        if layer.name.startswith(beginnings):
            layer.trainable = not frozen


def step(network, images):
    """Gradients and averages, by path, of a step in training mode."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(network(images, training=True) ** 2)
    variables = network.trainable_variables
    gradients = tape.gradient(loss, variables)
    found = {v.path: g for v, g in zip(variables, gradients, strict=True)}
    found |= {v.path: v.value for v in network.non_trainable_variables}
    return {path: np.asarray(value) for path, value in found.items()}


@pytest.fixture
def images():
    generator = np.random.default_rng(1)
    return generator.normal(3.0, 2.0, (64, 8, 8, 1)).astype("float32")


def test_what_is_frozen_of_a_rematerialized_network_is_each_block_s_own(images):
    """What was traced for a block is not used for one frozen elsewhere.

    Convolutions of one, batch norm of another, then neither of them.
    """
    kept, again = three_blocks(False), three_blocks(True)
    for parts, frozen in (
        (("conv2_2_bn", "conv2_3_conv"), True),
        (("conv2_2_bn", "conv2_3_conv"), False),
        (("conv2_1_bn1", "conv2_2_conv"), True),
    ):
        for network in (kept, again):
            freeze(network, parts, frozen)

        want, got = step(kept, images), step(again, images)

        assert got.keys() == want.keys()
        for path, array in want.items():
            scale = np.abs(array).max()
            np.testing.assert_allclose(
                got[path], array, rtol=0, atol=1e-4 * scale, err_msg=path
            )


def test_a_frozen_network_is_frozen_still_when_it_was_saved(images, tmp_path):
    network = three_blocks(rematerialize=True)
    step(network, images)
    network.trainable = False
    network.save(tmp_path / "network.keras")

    loaded = keras.saving.load_model(tmp_path / "network.keras")

    np.testing.assert_allclose(
        loaded(images, training=True), network(images), rtol=1e-4, atol=1e-4
    )


def test_a_part_may_be_frozen_when_it_is_rematerialized():
    inputs = keras.Input((8, 8, 1))
    part = keras.Model(inputs, BatchNormalization()(inputs))

    layer = Rematerialized(part, trainable=False)

    assert not layer.trainable_variables
    assert not part.trainable_variables


def test_losses_that_a_rematerialized_part_would_lose_are_refused(images):
    inputs = keras.Input((8, 8, 1))
    part = keras.layers.Conv2D(
        2, 3, kernel_regularizer="l2", activity_regularizer="l2"
    )
    layer = Rematerialized(keras.Model(inputs, part(inputs)))
    outputs = keras.layers.Flatten()(layer(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")

    with pytest.raises(ValueError, match="`activity_regularizer` or"):
        model.fit(images, np.zeros((64, 72)), verbose=0)
    part.activity_regularizer = None
    model.fit(images, np.zeros((64, 72)), verbose=0)


def test_the_loop_averages_no_frozen_number_over_the_passes_of_a_batch(images):
    """The mean of three equal float32 numbers may be another number."""
    groups = "model.batch_norm.images_per_statistic=16"
    spec = load_spec("digits", [f"model.stages={STAGES}", groups])
    network = build_model(spec.model, 0)
    step(network, images)  # averages that are no powers of two
    model = training_model(
        build_transforms(spec.data, spec.model.input),
        network,
    )
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            layer.trainable = layer.name == "conv2_3_bn2"
    model.compile(CoupledSGD(0.1), jit_compile=False)
    labels = np.arange(64, dtype="int32") % 10
    arrays = (images.astype("uint8"), labels) * 2
    data = make_dataset(
        "some", tuple("0123456789"), dict(zip(ARRAYS, arrays, strict=True))
    )
    steps = Steps(model, data, 48, 16)
    before = {v.path: np.array(v.value) for v in network.variables}

    assert steps.passes == 3
    batches = np.tile(np.arange(48), (3, 1))
    steps.run(batches.astype("int32"), batches.astype("uint32"))

    moved = {
        v.path
        for v in network.variables
        if not np.array_equal(v.value, before[v.path])
    }
    kernels = {v.path for v in network.variables if v.name == "kernel"}
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    assert moved == kernels | {
        "fc/bias",
        *(f"conv2_3_bn2/{name}" for name in names),
    }
