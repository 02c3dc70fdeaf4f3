"""Keras' settings file, checked before Keras reads it.

It holds floatx, epsilon, the backend and the image data format of all programs
that use Keras.
"""

import json
import os
from pathlib import Path

from kresnet.errors import SpecError

BACKENDS = ("tensorflow", "jax")
# What each setting may be. The image data format is not obeyed here, and
# epsilon not used; with other values Keras cannot be imported.
ALLOWED = {
    "floatx": ("float32", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
    "nnx_enabled": (False,),
}


def refuse_settings_file() -> None:
    """Refuses values with which Keras cannot be imported, or kresnet used.

    What is no JSON Keras does not obey.

    Raises:
        SpecError: There is such a value.
    """
    path = _settings_file()
    try:
        settings = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return
    if not isinstance(settings, dict):
        raise SpecError(f"{path}: must hold an object with Keras' settings")
    allowed = dict(ALLOWED)
    if not os.environ.get("KERAS_BACKEND"):  # it comes before the file's
        allowed["backend"] = BACKENDS
    for name, values in allowed.items():
        if name in settings and settings[name] not in values:
            raise SpecError(
                f"{path}: {name}: must be {' or '.join(map(str, values))}."
                f" Received: {settings[name]}"
            )
    if not isinstance(settings.get("epsilon", 1e-7), float):
        raise SpecError(
            f"{path}: epsilon: must be a number with a decimal point."
            f" Received: {settings['epsilon']}"
        )


def _settings_file() -> Path:
    """Where Keras looks for it."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")
        folder = os.path.join(
            home if os.access(home, os.W_OK) else "/tmp",  # noqa: S108
            ".keras",
        )
    return Path(folder, "keras.json").expanduser()
