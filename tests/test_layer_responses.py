"""Layer responses, against NumPy and by hand."""

import keras
import numpy as np
import pytest
from kresnet.callbacks import LayerResponses, ResponseProbe, copy_weights

from kresnet.network import build_model, find_places
from kresnet.spec import load_spec


@pytest.fixture(scope="module")
def network():
    return build_model(load_spec("digits").model, 0)


def places(network):
    return find_places(network, load_spec("digits").model)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(70, 8, 8, 1)).astype("float32")


def test_the_layers_are_the_paper_s_3x3_layers(network):
    """6n + 1 of them: all but the classifier, projections left out."""
    names = list(places(network).responses)

    assert names[:3] == ["conv1", "conv2_1_1", "conv2_1_2"]
    assert len(names) == 7
    for net, count in (("resnet20-c", 19), ("plain20", 19)):
        spec = load_spec(net).model
        assert len(find_places(build_model(spec), spec).responses) == count


def test_moments_are_numpy_s(network, images):
    """Over all images, positions and channels; batches do not matter."""
    tensors = places(network).responses
    probe = ResponseProbe(network, tensors)
    whole = keras.Model(network.input, list(tensors.values()))

    found = probe.moments(images, batch_size=16)

    for name, values in zip(tensors, whole(images), strict=True):
        values = np.asarray(values, "float64")
        mean, square = found[name]
        assert mean == pytest.approx(values.mean(), abs=1e-6)
        assert square == pytest.approx((values**2).mean(), rel=1e-5)


def test_the_residual_is_what_the_shortcut_is_not(network, images):
    """Both branches add to the input of the block's last ReLU."""
    branches = places(network).branches
    assert list(branches) == ["conv2_1", "conv3_1", "conv4_1"]
    residual, shortcut = branches["conv2_1"]
    block = [
        residual,
        shortcut,
        network.get_layer("conv1_relu").output,
        network.get_layer("conv2_1_bn2").output,
    ]

    got = keras.Model(network.input, block)(images)

    np.testing.assert_array_equal(got[0], got[3])
    np.testing.assert_array_equal(got[1], got[2])


def test_weights_are_copied_by_path(images):
    spec = load_spec("digits").model
    source, target = build_model(spec, 1), build_model(spec, 2)

    copy_weights(source, target)

    np.testing.assert_array_equal(source(images), target(images))
    with pytest.raises(ValueError, match="must have the variables"):
        copy_weights(target, build_model(load_spec("plain20").model))


def test_in_any_keras_program_rows_come_when_due_and_at_the_end():
    """Of a model of one's own: a dense layer that doubles its input."""
    inputs = keras.Input((4,))
    double = keras.layers.Dense(
        4, kernel_initializer=keras.initializers.Identity(2.0)
    )
    model = keras.Model(inputs, double(inputs))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    rows = []
    callback = LayerResponses(
        model, {"double": double.output}, {}, x, 3, 8, rows.extend
    )

    model.fit(x, x, batch_size=4, epochs=1, verbose=0, callbacks=[callback])

    assert [row["iteration"] for row in rows] == [3, 6, 8]
    for row in rows:
        assert row["layer"] == "double"
        assert row["images"] == 32
        assert row["std"] == pytest.approx(2 * x.std(), rel=1e-5)
