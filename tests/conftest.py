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


def pytest_addoption(parser):
    parser.addoption(
        "--whole",
        action="store_true",
        help="run the dear tests whole: more places, kills and specs",
    )


def pytest_collection_modifyitems(items):
    """Files with slow tests first, so that several processes end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def whole_form(pytestconfig) -> bool:
    """Whether tests that have a short form and a whole one run the whole."""
    return pytestconfig.getoption("whole")


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
def report_study(tmp_path_factory, digits_run):
    """A folder with runs that a report can be made of."""
    from report_page import make_study

    return make_study(tmp_path_factory.mktemp("study"), digits_run)


@pytest.fixture(scope="session")
def report_out(report_study, tmp_path_factory):
    """The folder of the report of `report_study`."""
    from kresnet.reporting import write_report

    folder = tmp_path_factory.mktemp("out")
    write_report([report_study], folder)
    return folder


@pytest.fixture(scope="session")
def report_page(report_out):
    """The page of that report, read strictly."""
    from report_page import Page

    return Page((report_out / "index.html").read_text("utf-8"))


@pytest.fixture(scope="session")
def heavy_imports() -> Callable[[str], set[str]]:
    """Which libraries that are slow to import a program has imported.

    The program runs in a process of its own and must end well, silent on
    standard error.
    """

    def run(program: str) -> set[str]:
        names = "keras tensorflow jax numpy matplotlib sklearn"
        ran = subprocess.run(
            [
                *(sys.executable, "-c"),
                f"{program}\nimport sys; print('heavy:',"
                f" *(set({names.split()!r}) & set(sys.modules)))",
            ],
            capture_output=True,
            text=True,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return set(ran.stdout.rpartition("heavy:")[2].split())

    return run


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
def float64():
    """Keras in float64, and back."""
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


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
