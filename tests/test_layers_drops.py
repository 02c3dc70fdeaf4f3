"""Dropout and survival: pure functions of key, stream and place."""

import numpy as np
import pytest

from kresnet.layers import Dropout, Survival

KEYS = np.random.default_rng(0).integers(0, 2**32, 500, dtype=np.uint32)
MAPS = np.random.default_rng(1).normal(size=(500, 3, 4, 5)).astype("float32")
PROGRAM = """
import sys
import numpy as np
from kresnet.layers import Dropout, Survival

maps, keys = np.load("maps.npy"), np.load("keys.npy")
made = [
    np.asarray(layer(maps, keys, training=True))
    for layer in (Dropout(0.3, 7), Survival(0.3, 7))
]
sys.stdout.buffer.write(np.stack(made).tobytes())
"""


def drawn(layer, maps=MAPS, keys=KEYS):
    return np.asarray(layer(maps, keys, training=True))


def test_each_value_is_dropped_with_the_rate_and_the_others_are_scaled():
    out = drawn(Dropout(0.3, 7))

    kept = out != 0
    # 30,000 draws: five standard deviations are 0.013.
    assert abs(kept.mean() - 0.7) < 0.014
    np.testing.assert_allclose(out[kept], (MAPS / 0.7)[kept], rtol=1e-6)
    # Places of one image, and one place of several images, are independent.
    rows = kept.reshape(500, 60).astype(float)
    for pairs in (np.corrcoef(rows.T), np.corrcoef(rows[:60])):
        assert np.abs(pairs[np.triu_indices(60, 1)]).mean() < 0.12


def test_a_draw_is_the_image_s_own():
    order = np.random.default_rng(2).permutation(500)

    out = drawn(Dropout(0.3, 7), MAPS[order], KEYS[order])

    np.testing.assert_array_equal(out, drawn(Dropout(0.3, 7))[order])
    assert (drawn(Dropout(0.3, 8)) != out).any()


def test_a_residual_is_kept_or_lost_as_a_whole():
    out = drawn(Survival(0.3, 7))

    kept = out.reshape(500, -1).any(axis=1)
    # 500 draws: four standard deviations are 0.082.
    assert abs(kept.mean() - 0.7) < 0.083
    np.testing.assert_array_equal(out[kept], MAPS[kept])
    whole = np.asarray(Survival(0.3, 7)(MAPS, training=False))
    np.testing.assert_allclose(whole, MAPS * 0.7, rtol=1e-6)


@pytest.mark.parametrize("keys", [KEYS, None])
def test_nothing_is_dropped_outside_of_training_or_without_keys(keys):
    training = keys is None
    out = Dropout(0.3, 7)(MAPS, keys, training=training)

    np.testing.assert_array_equal(out, MAPS)


def test_jax_draws_the_same(on_jax):
    pytest.importorskip("jax")

    out = np.frombuffer(on_jax(PROGRAM, maps=MAPS, keys=KEYS), "float32")
    ours = np.stack([drawn(Dropout(0.3, 7)), drawn(Survival(0.3, 7))])
    np.testing.assert_allclose(out.reshape(ours.shape), ours, rtol=1e-6, atol=0)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match=f"Received: rate={rate}"):
        Dropout(rate, 7)
