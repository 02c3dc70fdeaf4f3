"""Imports Keras without chatter and without what it does not need."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from kresnet.errors import SpecError
from kresnet.machine.surroundings import (
    refuse_environment,
    refuse_settings_file,
)
from kresnet.notices import notify

# Keras imports them where they are installed, for estimators and galleries of
# its own that nothing here uses: 1.3 of the 4 CPU-seconds that it takes.
UNUSED_BY_KERAS = ("matplotlib", "sklearn")
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_keras_quietly(own_process: bool = True) -> None:
    """Imports Keras and says so, unless it was imported before.

    Args:
        own_process: Whether the process is kresnet's alone. In it
            `keras.wrappers` and `keras.visualization` miss scikit-learn and
            Matplotlib, and Keras may not end a `fit` early.

    Raises:
        KresnetError: As of `refuse_environment` and `refuse_settings_file`.
        SpecError: A library refuses the value of an environment variable.
    """
    if own_process or "keras" not in sys.modules:
        refuse_environment(limits=own_process)
        refuse_settings_file()
    if "keras" in sys.modules:
        return
    notify("loading Keras")
    with _hidden(UNUSED_BY_KERAS if own_process else ()), quiet_import():
        try:
            import keras  # noqa: F401
        except ValueError as error:  # of a variable that JAX reads
            raise SpecError(f"Keras cannot be imported: {error}") from error


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Keeps imports inside from writing to stderr, and TensorFlow later too.

    TensorFlow prints half a dozen lines about drivers and instruction sets
    before its log level applies. If the import fails, they are printed.
    """
    # JAX sets 1 for its process and the children of it, unasked.
    if os.environ.get(LOG_LEVEL, "1") == "1":
        os.environ[LOG_LEVEL] = "3"
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed: nothing to keep quiet
        yield
        return
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except Exception:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def without_retracing_warnings() -> Iterator[None]:
    """Keeps TensorFlow from warning inside that functions are traced again.

    It counts by line of source code, and takes the networks of several runs
    in one process for one function. Also a decorator.
    """
    logger = logging.getLogger("tensorflow")

    def is_another(record):
        return "triggered tf.function retracing" not in record.getMessage()

    logger.addFilter(is_another)
    try:
        yield
    finally:
        logger.removeFilter(is_another)


@contextlib.contextmanager
def _hidden(packages: Iterable[str]) -> Iterator[None]:
    """Keeps packages from being imported inside, unless they are already."""
    hidden = [name for name in packages if name not in sys.modules]
    # What Python's import system documents: with `None` there an import
    # raises ModuleNotFoundError.
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
