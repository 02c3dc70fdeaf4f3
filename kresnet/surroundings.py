"""Environment variables of the backends: which are refused, which recorded.

Nothing here imports Keras at its top.
"""

import importlib.util
import os

from kresnet.errors import InputMissingError, SpecError

BACKENDS = ("tensorflow", "jax")
# They end `fit` and `predict` early: a run would be short, a test incomplete.
LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
NNX = "KERAS_NNX_ENABLED"
# Threads of the backends.
THREADS = (
    "NPROC",  # JAX
    "OMP_NUM_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
# What else the bits of a result depend on: kernels, and how exact they are.
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


def refuse_environment() -> None:
    """Refuses what Keras would obey when it is imported; call it before.

    Raises:
        SpecError: A backend that kresnet does not have, or a limit that would
            cut the work short.
        InputMissingError: The backend is not installed.
    """
    refuse_named_backend()
    for limit in LIMITS:
        if os.environ.get(limit, "0").strip() != "0":
            raise _limited(limit, os.environ[limit])
    if os.environ.get(NNX, "").lower() in ("1", "true"):
        raise SpecError(
            f"{NNX}: must not be set: kresnet's variables are Keras' own."
            f" Received: {os.environ[NNX]}"
        )


def refuse_named_backend() -> None:
    """Refuses what KERAS_BACKEND names; errors as of `refuse_backend`."""
    if name := os.environ.get("KERAS_BACKEND"):  # Keras, too, ignores ""
        refuse_backend("KERAS_BACKEND", name)


def refuse_backend(source: str, name: str) -> None:
    """Refuses a backend that kresnet does not have.

    Args:
        source: What named it, for the message.
        name: As of `KERAS_BACKEND`.

    Raises:
        SpecError: It is none of kresnet's.
        InputMissingError: It is not installed.
    """
    if name not in BACKENDS:
        raise SpecError(
            f"{source}: must be {' or '.join(BACKENDS)}. Received: {name}"
        )
    if importlib.util.find_spec(name) is None:
        raise InputMissingError(f"{source}: {name} is not installed here")


def refuse_limits() -> None:
    """Refuses Keras' limits, also those that a program has set itself.

    Raises:
        SpecError: `fit` or `predict` would end early.
    """
    import keras

    limits = keras.config.max_epochs(), keras.config.max_steps_per_epoch()
    for name, limit in zip(LIMITS, limits, strict=True):
        if limit:
            raise _limited(name, limit)


def _limited(name: str, limit: object) -> SpecError:
    setter = name.lower().replace("keras_", "keras.config.set_")
    return SpecError(
        f"{name}: must not be set, nor {setter} be called: Keras would end the"
        f" training, or a measurement, early. Received: {limit}"
    )
