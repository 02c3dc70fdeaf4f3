"""ZCA whitening against linear algebra, NumPy and scikit-learn."""

import keras
import numpy as np
import pytest
from sklearn.decomposition import PCA

from kresnet.layers import ZCAWhitening
from kresnet.layers.zca_whitening import LARGEST

# Smooth images: each pixel resembles its neighbours, as in photographs.
NOISE = np.random.RandomState(0).normal(size=(2_500, 6, 6, 3))
SMOOTH = NOISE + np.roll(NOISE, 1, 1) + np.roll(NOISE, 1, 2)
IMAGES = (0.5 + 0.1 * SMOOTH)[:, 1:5, 1:6]  # 4 × 5 × 3
D = 60
ROWS = IMAGES.reshape(-1, D)
COVARIANCE = np.cov(ROWS, rowvar=False, bias=True)
VARIANCES, AXES = np.linalg.eigh(COVARIANCE)


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _adapted(epsilon, images=IMAGES, **kwargs) -> ZCAWhitening:
    layer = ZCAWhitening(epsilon, **kwargs)
    layer.adapt(images)
    return layer


def _covariance_after(layer) -> np.ndarray:
    white = _numpy(layer(IMAGES)).reshape(-1, D).astype("float64")
    return np.cov(white, rowvar=False, bias=True)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-2, 1.0])
def test_whitened_variances_are_shrunk_by_epsilon(epsilon):
    """Λ / (Λ + ε) along the eigenvectors, and nothing across them."""
    got = AXES.T @ _covariance_after(_adapted(epsilon)) @ AXES

    want = np.diag(VARIANCES / (VARIANCES + epsilon))
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "epsilon", "tolerance"),
    [("float32", 1e-9, 1e-5), ("float64", 1e-12, 1e-9)],
)
def test_with_a_vanishing_epsilon_the_covariance_is_the_identity(
    dtype, epsilon, tolerance
):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX computes in float32 unless told otherwise")
    got = _covariance_after(_adapted(epsilon, dtype=dtype))

    np.testing.assert_allclose(got, np.eye(D), atol=tolerance)


def test_it_agrees_with_numpy():
    whiten = AXES @ np.diag((VARIANCES + 1e-2) ** -0.5) @ AXES.T
    want = ((ROWS - ROWS.mean(axis=0)) @ whiten.T).reshape(IMAGES.shape)

    got = _numpy(_adapted(1e-2)(IMAGES))

    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, atol=2e-5)


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="JAX computes in float32 unless told otherwise",
)
def test_it_is_scikit_learns_whitening_turned_back():
    """PCA whitens along its components; ZCA turns back to the pixels'."""
    pca = PCA(whiten=True).fit(ROWS)
    unbiased = (len(ROWS) / (len(ROWS) - 1)) ** 0.5  # of PCA's variances
    want = unbiased * pca.transform(ROWS) @ pca.components_

    got = _numpy(_adapted(1e-14, dtype="float64")(IMAGES))

    np.testing.assert_allclose(got.reshape(-1, D), want, atol=1e-8)


def test_images_stay_images():
    """Each value is matched best by its own whitened one: it stays in place.

    Of all whitenings ZCA changes the data least.
    """
    got = _numpy(_adapted(1e-4)(IMAGES))

    assert got.shape == IMAGES.shape
    white = got.reshape(-1, D)
    crossed = np.corrcoef(ROWS, white, rowvar=False)[:D, D:]
    np.testing.assert_array_equal(np.abs(crossed).argmax(axis=1), np.arange(D))
    assert np.diag(crossed).min() > 0.5


def test_batches_give_the_matrix_of_the_whole():
    parts = (part for part in (IMAGES[:7], IMAGES[7:900], IMAGES[900:]))

    got, want = _adapted(1e-2, parts), _adapted(1e-2)

    np.testing.assert_allclose(got.matrix, want.matrix, atol=1e-6)
    np.testing.assert_allclose(got.mean, want.mean, atol=1e-6)


def test_matrix_and_mean_are_not_trained():
    layer = _adapted(1e-2)

    assert [w.name for w in layer.weights] == ["mean", "matrix"]
    assert [w.shape for w in layer.weights] == [(4, 5, 3), (D, D)]
    assert layer.trainable_weights == []
    assert {w.dtype for w in layer.weights} == {"float32"}


def test_fewer_images_than_values_are_whitened_in_their_span():
    """30 images vary in 29 directions; the others are amplified by 1/√ε."""
    few = IMAGES[:30]
    layer = _adapted(1e-2, few)

    gains = np.linalg.eigvalsh(_numpy(layer.matrix).astype("float64"))

    assert np.isfinite(gains).all()
    np.testing.assert_allclose(np.sort(gains)[29:], 10, rtol=1e-5)
    assert np.sort(gains)[28] < 9.9
    white = _numpy(layer(few)).reshape(30, D)
    variances = np.linalg.eigvalsh(np.cov(white, rowvar=False, bias=True))
    assert variances[0] > -1e-6
    assert variances[-1] < 1


def test_a_single_image_becomes_zero():
    white = _numpy(_adapted(1e-2, IMAGES[:1])(IMAGES[:1]))

    np.testing.assert_allclose(white, 0, atol=1e-5)


def test_an_epsilon_too_fine_for_float32_is_refused():
    """With one image there is nothing but epsilon; one bright pixel added."""
    images = np.zeros((2, 4, 5, 3))
    images[1, 0, 0, 0] = 200  # variance 10,000
    with pytest.raises(
        ValueError, match=r"`epsilon` must be at least 1\.4e-06"
    ):
        _adapted(1e-6, images)
    assert _adapted(1.5e-6, images).built


def test_bytes_are_whitened_as_floats():
    images = (IMAGES * 255).clip(0, 255).astype(np.uint8)

    got = _numpy(_adapted(1.0, images)(images))

    assert got.dtype == np.float32
    assert got.min() < 0 < got.max()
    assert abs(got.mean()) < 1e-4


def test_before_it_is_adapted_the_layer_only_converts():
    got = _numpy(ZCAWhitening(1e-2)(IMAGES[:5]))

    np.testing.assert_allclose(got, IMAGES[:5].astype("float32"), rtol=1e-6)


def test_half_precision_whitens_before_it_rounds():
    """Bytes, since Keras rounds floats before a layer sees them."""
    images = (IMAGES * 255).clip(0, 255).astype(np.uint8)
    want = _numpy(_adapted(1.0, images)(images[:9]))

    got = _numpy(_adapted(1.0, images, dtype="mixed_float16")(images[:9]))

    assert got.dtype == np.float16
    np.testing.assert_array_equal(got, want.astype("float16"))


@pytest.mark.parametrize("kind", [".keras", ".weights.h5"])
def test_it_is_saved_and_loaded_within_a_model(kind, tmp_path):
    def build(layer):
        pixels = keras.Input((4, 5, 3))
        return keras.Model(pixels, layer(pixels))

    model = build(_adapted(1e-2))
    file = tmp_path / f"model{kind}"
    if kind == ".keras":
        model.save(file)
        loaded = keras.saving.load_model(file)
    else:
        model.save_weights(file)
        loaded = build(ZCAWhitening(1e-2))
        loaded.load_weights(file)

    assert loaded.layers[-1].epsilon == 1e-2
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    images = IMAGES[:5].astype("float32")
    want = model.predict(images, verbose=0)
    assert np.abs(want - images).max() > 0.1
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), want)


def test_images_too_large_are_refused_before_anything_is_allocated():
    images = np.zeros((1, 64, 64, 3), np.uint8)
    want = rf"at most {LARGEST:,} values .* 64 × 64 × 3 = 12,288 values"
    with pytest.raises(ValueError, match=want):
        ZCAWhitening(1e-2).adapt(images)
    with pytest.raises(ValueError, match=want):
        ZCAWhitening(1e-2)(images)


def test_images_of_unknown_size_are_refused():
    with pytest.raises(ValueError, match="`images` must"):
        ZCAWhitening(1e-2)(keras.Input((None, 4, 3)))


@pytest.mark.parametrize("epsilon", [0, -1e-3])
def test_an_epsilon_that_is_not_positive_is_refused(epsilon):
    with pytest.raises(ValueError, match="`epsilon` must"):
        ZCAWhitening(epsilon)


@pytest.mark.parametrize("data", [IMAGES[:0], []])
def test_no_images_have_no_covariance(data):
    with pytest.raises(ValueError, match="`data` must"):
        ZCAWhitening(1e-2).adapt(data)


def test_it_knows_the_shape_it_returns():
    shape = (None, 32, 32, 3)
    assert ZCAWhitening(1e-2).compute_output_shape(shape) == shape


def test_jax_whitens_to_the_same(on_jax):
    program = """
import sys
import numpy as np
from kresnet.layers import ZCAWhitening

images = np.load("images.npy")
layer = ZCAWhitening(1e-2)
layer.adapt(images)
sys.stdout.buffer.write(np.asarray(layer(images[:99])).tobytes())
"""
    got = np.frombuffer(on_jax(program, images=IMAGES), "float32")

    want = _numpy(_adapted(1e-2)(IMAGES[:99]))
    np.testing.assert_allclose(got.reshape(want.shape), want, atol=1e-5)
