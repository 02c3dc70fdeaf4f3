"""The integer hash behind every random layer."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency

from kresnet.layers.keyed_draws import (
    random_bits,
    random_integers,
    random_uniform,
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


def _lowbias32(x: int) -> int:
    """The published function, in Python's unbounded integers."""
    x ^= x >> 16
    x = x * 0x7FEB352D % 2**32
    x ^= x >> 15
    x = x * 0x846CA68B % 2**32
    return x ^ x >> 16


def _inverse(x: int) -> int:
    """The key whose lowbias32 is `x`."""
    x ^= x >> 16
    x = x * pow(0x846CA68B, -1, 2**32) % 2**32
    x ^= x >> 15 ^ x >> 30
    x = x * pow(0x7FEB352D, -1, 2**32) % 2**32
    return x ^ x >> 16


def _bits(key: int, stream: int) -> int:
    return _lowbias32(_lowbias32(key) ^ stream)


def _key_with_bits(bits: int, stream: int) -> int:
    return _inverse(_inverse(bits) ^ stream)


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _p_value(observed: np.ndarray, expected: float) -> float:
    statistic = np.sum((observed - expected) ** 2 / expected)
    return chi2.sf(statistic, observed.size - 1)


def test_bits_are_two_rounds_of_the_published_hash():
    keys = [0, 1, 2, 2**31, 2**32 - 1, *KEYS["random"][:500].tolist()]
    got = _numpy(random_bits(np.array(keys, np.uint32), STREAM))
    assert got.dtype == np.uint32
    assert got.tolist() == [_bits(key, STREAM) for key in keys]


@pytest.mark.parametrize("bound", [1, 2, 3, 9, 1_000, 65_535, 65_536])
def test_integers_are_the_exact_product_with_the_bound(bound):
    extreme = [0, 1, 0xFFFF, 0x10000, 2**31, 2**32 - 1]
    keys = [_key_with_bits(bits, STREAM) for bits in extreme]
    keys += KEYS["random"][:500].tolist()
    got = _numpy(random_integers(np.array(keys, np.uint32), STREAM, bound))
    assert got.dtype == np.int32
    assert got.tolist() == [_bits(key, STREAM) * bound >> 32 for key in keys]


def test_uniform_draws_never_reach_one():
    extreme = [0, 255, 256, 2**32 - 257, 2**32 - 1]
    keys = [_key_with_bits(bits, STREAM) for bits in extreme]
    got = _numpy(random_uniform(np.array(keys, np.uint32), STREAM))
    assert got.dtype == np.float32
    assert got.tolist() == [0, 0, 2**-24, 1 - 2**-23, 1 - 2**-24]


@each_kind_of_keys
@pytest.mark.parametrize("bound", [2, 9, 81])
def test_integers_are_uniform(kind, bound):
    draws = _numpy(random_integers(KEYS[kind], STREAM, bound))
    observed = np.bincount(draws, minlength=bound)
    assert observed.size == bound
    assert _p_value(observed, COUNT / bound) > CHANCE


@each_kind_of_keys
def test_uniform_draws_have_the_moments_of_the_uniform_distribution(kind):
    draws = _numpy(random_uniform(KEYS[kind], STREAM)).astype(np.float64)
    for power in (1, 2, 3):
        mean = 1 / (power + 1)
        deviation = (1 / (2 * power + 1) - mean**2) ** 0.5
        error = np.mean(draws**power) - mean
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
            random_uniform(keys, STREAM),
        )

    keys = KEYS["random"][:1_000]
    for got, function in zip(
        draw(keys),
        (random_bits, lambda *a: random_integers(*a, 9), random_uniform),
        strict=True,
    ):
        want = _numpy(function(keys, STREAM))
        np.testing.assert_array_equal(got.numpy(), want)


def test_jax_draws_the_same_bytes(tmp_path):
    program = f"""
import sys
import jax
import numpy as np
from kresnet.layers.keyed_draws import *

keys = np.load("keys.npy")
for jit in (jax.jit, lambda f: f):
    draws = jit(lambda keys: (
        random_bits(keys, {STREAM}),
        random_integers(keys, {STREAM}, 9),
        random_uniform(keys, {STREAM}),
    ))(keys)
    sys.stdout.buffer.write(b"".join(np.asarray(d).tobytes() for d in draws))
"""
    keys = KEYS["random"][:1_000]
    np.save(tmp_path / "keys.npy", keys)
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        check=True,
    )
    want = b"".join(
        _numpy(draws).tobytes()
        for draws in (
            random_bits(keys, STREAM),
            random_integers(keys, STREAM, 9),
            random_uniform(keys, STREAM),
        )
    )
    assert run.stdout == want * 2


@pytest.mark.parametrize("stream", [-1, 2**32])
def test_a_stream_out_of_range_is_refused(stream):
    with pytest.raises(ValueError, match="`stream` must"):
        random_bits(SEQUENTIAL, stream)


@pytest.mark.parametrize("bound", [0, 2**16 + 1])
def test_a_bound_out_of_range_is_refused(bound):
    with pytest.raises(ValueError, match="`bound` must"):
        random_integers(SEQUENTIAL, STREAM, bound)
