"""Memory that ran out, as the backends really say it."""

import subprocess
import sys

import keras
import pytest

from kresnet.errors import is_out_of_memory

JAX = """
import jax.numpy as jnp
from kresnet.errors import is_out_of_memory
try:
    jnp.zeros(2**50, "uint8").block_until_ready()
except Exception as error:
    assert is_out_of_memory(error), repr(error)
else:
    raise SystemExit("a pebibyte was there")
"""


def test_tensorflow_out_of_memory_is_recognised():
    with pytest.raises(Exception) as caught:  # noqa: PT011
        keras.ops.ones((2**50,), "uint8")

    assert is_out_of_memory(caught.value)


def test_jax_out_of_memory_is_recognised():
    subprocess.run([sys.executable, "-c", JAX], check=True)


def test_other_failures_are_not():
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(ValueError("a value of RESOURCE_EXHAUSTED"))
