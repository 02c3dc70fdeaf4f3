"""Importing the Keras backend without chatter, nor what it does not need."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator

from kresnet.surroundings import refuse_environment

# Keras imports them where they are installed, for estimators and galleries of
# its own that nothing here uses: 1.3 of the 4 CPU-seconds that it takes.
UNUSED_BY_KERAS = ("matplotlib", "sklearn")


def import_keras_quietly() -> None:
    """Imports Keras while TensorFlow's native code cannot write to stderr.

    TensorFlow prints half a dozen lines about drivers and instruction sets
    before its log level applies. Should the import fail, they are printed.

    `keras.wrappers` and `keras.visualization` then miss scikit-learn and
    Matplotlib.

    Raises:
        KresnetError: As of `refuse_environment`.
    """
    refuse_environment()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _hidden(UNUSED_BY_KERAS):
        try:
            kept = os.dup(2)
        except OSError:  # stderr is closed: nothing to keep quiet
            import keras

            return
        with tempfile.TemporaryFile() as aside:
            os.dup2(aside.fileno(), 2)
            try:
                import keras  # noqa: F401
            except BaseException:
                aside.seek(0)
                os.write(kept, aside.read())
                raise
            finally:
                sys.stderr.flush()
                os.dup2(kept, 2)
                os.close(kept)


@contextlib.contextmanager
def _hidden(packages: Iterable[str]) -> Iterator[None]:
    """Packages that are not imported yet cannot be, and then can again."""
    hidden = [name for name in packages if name not in sys.modules]
    # What Python's import system documents: with `None` there an import
    # raises ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
