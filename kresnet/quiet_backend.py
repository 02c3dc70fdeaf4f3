"""Importing the Keras backend without its chatter."""

import os
import sys
import tempfile


def import_keras_quietly() -> None:
    """Imports Keras while TensorFlow's native code cannot write to stderr.

    TensorFlow prints half a dozen lines about drivers and instruction sets
    before its log level applies. Should the import fail, they are printed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
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
