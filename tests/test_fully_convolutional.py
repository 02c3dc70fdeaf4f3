"""Networks applied to images of any size, against the networks themselves."""

import numpy as np
import pytest

from kresnet.errors import SpecError
from kresnet.layers import ChannelMean, PerPixelMean, ZCAWhitening
from kresnet.network import (
    build_model,
    fully_convolutional,
    transforms_of_any_size,
)
from kresnet.spec import load_spec

NAMES = ("resnet18", "resnet50", "vgg11", "vgg16-bn")


def narrow(name: str, *changes: str):
    """A shipped network of ImageNet with few filters, for small images."""
    changes = (
        *("expect=null", "data.dataset=folder", "model.classes=7"),
        "model.input=[64, 96, 3]",
        "training.batch_size=32",
        *changes,
    )
    model = load_spec(name, changes[:4]).model
    widths = [f"model.stages[{i}].width=8" for i in range(len(model.stages))]
    other = "model.stem.width=8" if model.stem else "model.head.dense=[16,16]"
    return load_spec(name, [*changes, *widths, other]).model


def build(spec):
    """A network whose batch norms are not the identity."""
    network = build_model(spec, 0)
    rng = np.random.default_rng(1)
    for weight in network.weights:
        if "moving_variance" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return network


def images_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_the_input_s_size_has_one_position_and_its_logits(name):
    spec = narrow(name)
    network = build(spec)
    images = images_of(3, 64, 96, 3)

    single = network.predict(images, verbose=0)
    dense = fully_convolutional(network, spec).predict(images, verbose=0)

    assert dense.shape == (3, 1, 1, 7)
    assert np.abs(dense[:, 0, 0] - single).max() < 3e-5 * single.std()


@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_in_float64_they_differ_by_1e_10_of_the_logits_spread(name, float64):
    spec = narrow(name)
    network = build(spec)
    images = images_of(2, 64, 96, 3)

    single = network.predict(images, verbose=0)
    dense = fully_convolutional(network, spec).predict(images, verbose=0)

    assert single.dtype == dense.dtype == "float64"
    assert np.abs(dense[:, 0, 0] - single).max() < 1e-10 * single.std()


@pytest.mark.parametrize(
    ("name", "changes"),
    [("vgg11", ()), ("resnet18-a", ("model.stem.pool=null",))],
)
def test_where_kernels_see_one_pixel_a_position_is_the_crop_there(
    name, changes
):
    """Else the crop's padding takes the place of what lies around it."""
    spec = narrow(name, *changes)
    network = build(spec)
    for weight in network.weights:
        if weight.path.endswith("kernel") and len(weight.shape) == 4:
            kernel = np.zeros(weight.shape, "float32")
            middle = weight.shape[0] // 2
            kernel[middle, middle] = weight.numpy()[middle, middle]
            weight.assign(3 * kernel)
    images = images_of(1, 64 + 2 * 32, 96 + 32, 3)

    dense = fully_convolutional(network, spec).predict(images, verbose=0)

    # Strides and pools make maps 32 times smaller; without the pool 16 times.
    step = 16 if changes else 32
    assert dense.shape == (1, 64 // step + 1, 32 // step + 1, 7)
    crops = [
        images[0, row * step : row * step + 64, col * step : col * step + 96]
        for row, col in np.ndindex(dense.shape[1:3])
    ]
    want = network.predict(np.stack(crops), verbose=0)
    np.testing.assert_allclose(
        dense.reshape(want.shape), want, atol=3e-5 * want.std()
    )
    assert want.std(axis=0).min() > 0.01 * want.std()


def test_a_mean_image_becomes_its_mean_colour_and_zca_is_refused():
    layer = PerPixelMean()
    images = np.random.default_rng(0).uniform(0, 255, (5, 4, 6, 3))
    layer.adapt(images)

    (colour,) = transforms_of_any_size([layer])

    assert isinstance(colour, ChannelMean)
    other = np.zeros((1, 9, 7, 3), "uint8")
    np.testing.assert_allclose(
        -np.asarray(colour(other))[0, 8, 6], images.mean((0, 1, 2)), rtol=1e-6
    )
    with pytest.raises(SpecError, match="zca_whitening mixes all pixels"):
        transforms_of_any_size([layer, ZCAWhitening(1.0)])
