"""What several test files share."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

# Of a background job a shell has SIGINT ignored, and `nohup` SIGHUP; children
# inherit it, and the programs under test would rightly ignore them too.
for number, default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """The folder of a short, finished run on digits; do not write into it."""
    import kresnet

    return kresnet.train(
        "digits",
        tmp_path_factory.mktemp("digits") / "run",
        overrides=[
            "training.iterations=60",
            "training.learning_rate.at=[30,45]",
            "training.evaluate_every=15",
        ],
    )


@pytest.fixture(scope="session")
def exported(digits_run, tmp_path_factory):
    """An export of that run; do not write into it either."""
    import kresnet

    return kresnet.export(
        digits_run, tmp_path_factory.mktemp("export") / "digits"
    )


@pytest.fixture(scope="session")
def documented_bits() -> Callable[[int, int], int]:
    """The documented hash of a key and a stream, in Python's integers."""

    def bits(key: int, stream: int) -> int:
        for mixed in (0, stream):
            key ^= mixed
            key ^= key >> 16
            key = key * 0x7FEB352D % 2**32
            key ^= key >> 15
            key = key * 0x846CA68B % 2**32
            key ^= key >> 16
        return key

    return bits


@pytest.fixture(scope="session")
def documented_draw(documented_bits) -> Callable[[int, int, int], int]:
    """The documented integer below a bound, from a key and a stream."""
    return lambda key, stream, bound: documented_bits(key, stream) * bound >> 32


@pytest.fixture
def on_jax(tmp_path) -> Callable[..., bytes]:
    """Runs a program on JAX's CPU, with arrays as files of their names.

    What the program writes to standard output is returned.
    """

    def run(program: str, **arrays) -> bytes:
        import numpy as np

        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout

    return run
