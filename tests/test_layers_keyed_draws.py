"""The integer hash behind every random layer."""

import keras
import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency, kstest, norm

from kresnet.layers.keyed import (
    random_bits,
    random_integers,
    random_normal,
)

STREAM, OTHER = 0x63726F79, 0x63726F78
COUNT = 90_000
# Some forty p-values are looked at: a fair hash fails once in 2,500 tries.
CHANCE = 1e-5
SEQUENTIAL = np.arange(COUNT, dtype=np.uint32)
RANDOM = np.random.Philox(key=5).random_raw(COUNT) >> np.uint64(32)
KEYS = {
    "sequential": SEQUENTIAL,
    "random": RANDOM.astype(np.uint32),
    "multiples of 32768": SEQUENTIAL << np.uint32(15),
}
each_kind_of_keys = pytest.mark.parametrize("kind", KEYS)


def _inverse(x: int) -> int:
    """The key whose lowbias32, the hash of one round, is `x`."""
    x ^= x >> 16
    x = x * pow(0x846CA68B, -1, 2**32) % 2**32
    x ^= x >> 15 ^ x >> 30
    x = x * pow(0x7FEB352D, -1, 2**32) % 2**32
    return x ^ x >> 16


def _key_with_bits(bits: int, stream: int) -> int:
    return _inverse(_inverse(bits) ^ stream)


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _p_value(observed: np.ndarray, expected: float) -> float:
    statistic = np.sum((observed - expected) ** 2 / expected)
    return chi2.sf(statistic, observed.size - 1)


def test_bits_are_two_rounds_of_the_published_hash(documented_bits):
    keys = [0, 1, 2, 2**31, 2**32 - 1, *KEYS["random"][:500].tolist()]
    got = _numpy(random_bits(np.array(keys, np.uint32), STREAM))
    assert got.dtype == np.uint32
    assert got.tolist() == [documented_bits(key, STREAM) for key in keys]


@pytest.mark.parametrize("bound", [1, 2, 3, 9, 1_000, 65_535, 65_536])
def test_integers_are_the_exact_product_with_the_bound(documented_draw, bound):
    extreme = [0, 1, 0xFFFF, 0x10000, 2**31, 2**32 - 1]
    keys = [_key_with_bits(bits, STREAM) for bits in extreme]
    keys += KEYS["random"][:500].tolist()
    got = _numpy(random_integers(np.array(keys, np.uint32), STREAM, bound))
    assert got.dtype == np.int32
    want = [documented_draw(key, STREAM, bound) for key in keys]
    assert got.tolist() == want


@each_kind_of_keys
@pytest.mark.parametrize("bound", [2, 9, 81])
def test_integers_are_uniform(kind, bound):
    draws = _numpy(random_integers(KEYS[kind], STREAM, bound))
    observed = np.bincount(draws, minlength=bound)
    assert observed.size == bound
    assert _p_value(observed, COUNT / bound) > CHANCE


def test_normal_draws_are_quantiles_of_the_uniform_integers():
    extreme = [0, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1]
    keys = [_key_with_bits(bits, STREAM) for bits in extreme]
    keys = np.array(keys + KEYS["random"][:500].tolist(), np.uint32)

    got = _numpy(random_normal(keys, STREAM))

    integers = _numpy(random_integers(keys, STREAM, 2**16))
    assert got.dtype == np.float32
    want = norm.ppf((integers + 0.5) / 2**16)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert got[0] == got[1] == -got[5]  # the same upper 16 bits; the opposite
    assert got[3] == -got[4] != 0


@each_kind_of_keys
def test_normal_draws_are_standard_normal(kind):
    draws = _numpy(random_normal(KEYS[kind], STREAM)).astype(np.float64)

    assert kstest(draws, "norm").pvalue > CHANCE
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        deviation = (norm.moment(2 * power) - moment**2) ** 0.5
        error = np.mean(draws**power) - moment
        assert abs(error) < 4 * deviation / COUNT**0.5


@each_kind_of_keys
def test_every_bit_is_set_half_of_the_time(kind):
    bits = _numpy(random_bits(KEYS[kind], STREAM))
    for place in range(32):
        mean = np.mean(bits >> np.uint32(place) & 1)
        assert abs(mean - 0.5) < 4.5 * 0.5 / COUNT**0.5


def test_equal_draws_are_no_more_frequent_than_equal_keys():
    """The hash is a bijection."""
    assert np.unique(_numpy(random_bits(SEQUENTIAL, STREAM))).size == COUNT


def _dependence(one: np.ndarray, other: np.ndarray) -> float:
    table = np.zeros((9, 9), int)
    np.add.at(table, (one, other), 1)
    return chi2_contingency(table).pvalue


@each_kind_of_keys
@pytest.mark.parametrize("other", [OTHER, STREAM ^ 2**31, STREAM + 1, 0])
def test_draws_of_different_streams_are_independent(kind, other):
    draws = [
        _numpy(random_integers(KEYS[kind], stream, 9))
        for stream in (STREAM, other)
    ]
    assert _dependence(*draws) > CHANCE


@each_kind_of_keys
@pytest.mark.parametrize("step", [1, 2, 128])
def test_draws_of_neighbouring_keys_are_independent(kind, step):
    draws = _numpy(random_integers(KEYS[kind], STREAM, 9))
    assert _dependence(draws[:-step], draws[step:]) > CHANCE


def test_integer_keys_of_another_type_give_the_same_draws():
    keys = np.array([0, 1, 2**31 - 1])
    want = _numpy(random_bits(keys.astype(np.uint32), STREAM))
    for dtype in ("int32", "int64"):
        got = _numpy(random_bits(keys.astype(dtype), STREAM))
        np.testing.assert_array_equal(got, want)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about TensorFlow graphs"
)
def test_a_graph_draws_what_eager_code_draws():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], "uint32")])
    def draw(keys):
        return (
            random_bits(keys, STREAM),
            random_integers(keys, STREAM, 9),
            random_normal(keys, STREAM),
        )

    keys = KEYS["random"][:1_000]
    for got, function in zip(
        draw(keys),
        (
            random_bits,
            lambda *a: random_integers(*a, 9),
            random_normal,
        ),
        strict=True,
    ):
        want = _numpy(function(keys, STREAM))
        np.testing.assert_array_equal(got.numpy(), want)


def test_jax_draws_the_same_bytes(on_jax):
    program = f"""
import sys
import jax
import numpy as np
from kresnet.layers.keyed import *

keys = np.load("keys.npy")
for jit in (jax.jit, lambda f: f):
    draws = jit(lambda keys: (
        random_bits(keys, {STREAM}),
        random_integers(keys, {STREAM}, 9),
        random_normal(keys, {STREAM}),
    ))(keys)
    sys.stdout.buffer.write(b"".join(np.asarray(d).tobytes() for d in draws))
"""
    keys = KEYS["random"][:1_000]
    want = b"".join(
        _numpy(draws).tobytes()
        for draws in (
            random_bits(keys, STREAM),
            random_integers(keys, STREAM, 9),
            random_normal(keys, STREAM),
        )
    )

    assert on_jax(program, keys=keys) == want * 2


@pytest.mark.parametrize("stream", [-1, 2**32])
def test_a_stream_out_of_range_is_refused(stream):
    with pytest.raises(ValueError, match="`stream` must"):
        random_bits(SEQUENTIAL, stream)


@pytest.mark.parametrize("bound", [0, 2**16 + 1])
def test_a_bound_out_of_range_is_refused(bound):
    with pytest.raises(ValueError, match="`bound` must"):
        random_integers(SEQUENTIAL, STREAM, bound)
