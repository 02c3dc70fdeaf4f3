"""What Keras and its backend obey: environment, settings file, global settings.

Some are refused and some recorded. Importing this does not import Keras.
"""

import importlib.util
import json
import os
from pathlib import Path

from kresnet.errors import InputMissingError, SpecError
from kresnet.files import open_plain_file

BACKENDS = ("tensorflow", "jax")
# Limits end `fit` and `predict` early: a test would be incomplete.
LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
NNX = "KERAS_NNX_ENABLED"
# Threads of the backends.
THREADS = (
    "NPROC",  # JAX
    "OMP_NUM_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
# The bits of a result depend on these too: on kernels and their precision.
ARITHMETIC = (
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_SET_ONEDNN_FPMATH_MODE",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
# In Keras' settings file. The image data format is not obeyed here, and
# epsilon not used; with other values Keras cannot be imported.
ALLOWED = {
    "floatx": ("float32", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
    "nnx_enabled": (False,),
}

# Where Keras' floatx comes from, for messages.
FLOATX = "Keras' floatx (keras.config.set_floatx, or floatx in its keras.json)"


def refuse_environment(limits: bool = True) -> None:
    """Refuses variables that Keras would obey; call it before its import.

    A user's own program may have limits of `fit` and `predict`. Raises a
    SpecError, or an InputMissingError where the backend is not installed.
    """
    if name := os.environ.get("KERAS_BACKEND"):  # Keras, too, ignores ""
        refuse_backend("KERAS_BACKEND", name)
    for limit in LIMITS if limits else ():
        if os.environ.get(limit, "0").strip() != "0":
            raise _limited(limit, os.environ[limit])
    if os.environ.get(NNX, "").lower() in ("1", "true"):
        raise SpecError(
            f"{NNX}: must not be set: kresnet's variables are Keras' own."
            f" Received: {os.environ[NNX]}"
        )


def refuse_settings_file() -> None:
    """Raises a SpecError if a keras.json keeps Keras or kresnet from working.

    Keras does not obey a file that is no JSON. One that is no file, or cannot
    be read, would end its import, or keep it waiting.
    """
    path = _settings_file()
    if not os.path.exists(path):
        return
    try:
        content = open_plain_file(path)
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SpecError(f"{path}: {error}") from error
    try:
        with content:
            settings = json.loads(content.read().decode("utf-8"))
    except (OSError, ValueError):
        return
    except RecursionError:
        settings = None
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


def refuse_backend(source: str, name: str) -> None:
    """Raises a SpecError for a backend that kresnet does not have.

    One that is not installed is an InputMissingError. The source is what named
    it, for the message.
    """
    if name not in BACKENDS:
        raise SpecError(
            f"{source}: must be {' or '.join(BACKENDS)}. Received: {name}"
        )
    if importlib.util.find_spec(name) is None:
        raise InputMissingError(f"{source}: {name} is not installed here")


def refuse_limits() -> None:
    """Raises a SpecError for Keras' limits, also those that a program set."""
    import keras

    limits = keras.config.max_epochs(), keras.config.max_steps_per_epoch()
    for name, limit in zip(LIMITS, limits, strict=True):
        if limit:
            raise _limited(name, limit)


def check_settings(precision: str) -> None:
    """Raises a SpecError where Keras' global settings would change a run.

    They may also not go with its precision. The dtype policy and the image data
    format are not among them: layers are built the same whatever these are.
    """
    import keras

    check_floatx()
    if precision == "bfloat16" and keras.config.floatx() != "float32":
        raise SpecError(
            f"--precision: bfloat16 needs {FLOATX} to be float32. Received:"
            f" {keras.config.floatx()}"
        )
    if keras.backend.backend() == "tensorflow":
        _check_tensorflow()
    elif keras.distribution.distribution() is not None:
        raise SpecError(
            "--devices: names the devices of a run, and a keras.distribution"
            " must not be set besides"
        )


def check_floatx() -> None:
    """Raises a SpecError for a floatx that is neither float32 nor float64.

    So it does where JAX would take float32 for float64.
    """
    import keras

    floatx = keras.config.floatx()
    if floatx not in ("float32", "float64"):
        raise SpecError(
            f"{FLOATX}: must be float32 or float64. Received: {floatx}"
        )
    if floatx == "float64" and keras.backend.backend() == "jax":
        import jax

        if not jax.config.jax_enable_x64:
            raise SpecError(
                f"{FLOATX}: float64 needs JAX_ENABLE_X64=1 on JAX, which"
                " computes in float32 without it"
            )


def _check_tensorflow():
    import tensorflow as tf

    if tf.distribute.has_strategy():
        raise SpecError(
            "--devices: names the devices of a run, which must not be inside"
            " the scope of a tf.distribute strategy"
        )
    for name, on in tf.config.optimizer.get_experimental_options().items():
        if on and name.startswith("auto_mixed_precision"):
            raise SpecError(
                "--precision: names the precision of a run, and TensorFlow's"
                f" optimizer option {name} must be off"
            )


def _limited(name: str, limit: object) -> SpecError:
    setter = name.lower().replace("keras_", "keras.config.set_")
    return SpecError(
        f"{name}: must not be set, nor {setter} be called: Keras would end the"
        f" training, or a measurement, early. Received: {limit}"
    )


def _settings_file() -> Path:
    """Returns the path at which Keras looks for its settings."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")
        folder = os.path.join(
            home if os.access(home, os.W_OK) else "/tmp",  # noqa: S108
            ".keras",
        )
    return Path(folder, "keras.json").expanduser()
