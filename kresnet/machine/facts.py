"""What a result's bits depend on: machine, libraries, compilation."""

import os
import platform
from importlib import metadata

import keras

from kresnet.files import cache_home
from kresnet.machine.surroundings import ARITHMETIC, THREADS

PACKAGES = ("kresnet", "keras", "numpy", "safetensors")
BACKEND_PACKAGES = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib")}

DETERMINISTIC_XLA = "--xla_gpu_deterministic_ops=true"


def versions() -> dict[str, str]:
    """Returns the versions of what computes, by name."""
    backend = keras.backend.backend()
    packages = PACKAGES + BACKEND_PACKAGES[backend]
    found = {name: metadata.version(name) for name in packages}
    return {"python": platform.python_version(), "backend": backend, **found}


def hardware() -> dict:
    """Returns machine, processor, cores, flags and devices."""
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "flags": {
            name: os.environ[name]
            for name in sorted(THREADS + ARITHMETIC)
            if name in os.environ
        },
        "devices": _devices(),
    }


def make_gpus_deterministic() -> None:
    """Asks the backend for equal bits each time on GPUs too.

    Call it before the backend looks for devices. It costs speed, and an
    operation without a deterministic kernel fails.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        return
    flags = os.environ.get("XLA_FLAGS", "")
    if DETERMINISTIC_XLA not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {DETERMINISTIC_XLA}".strip()


def make_deterministic(seed: int) -> None:
    """Seeds every generator and asks for equal bits each time on CPUs.

    The bits still depend on thread counts, library versions and the number of
    devices, which are in run.json. On a GPU only the seeds are set; see
    `make_gpus_deterministic`.
    """
    # Not on JAX: it would import TensorFlow, and nothing there draws from it.
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        keras.utils.set_random_seed(seed % 2**32)
        if not tf.config.get_visible_devices("GPU"):
            tf.config.experimental.enable_op_determinism()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def _devices() -> list[str]:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices()
        details = [
            tf.config.experimental.get_device_details(d) for d in devices
        ]
        return [
            detail.get("device_name", device.device_type)
            for device, detail in zip(devices, details, strict=True)
        ]
    import jax

    return [device.device_kind for device in jax.devices()]


# Programs that compile faster than this are compiled again, not read.
LEAST_SECONDS = 0.3
OWN_CHOICE = "JAX_COMPILATION_CACHE_DIR"


def keep_compiled_programs() -> None:
    """Lets JAX keep what it compiles under the user's cache directory.

    A second start of ResNet-20 on a CPU takes 5 in place of 8 CPU-seconds to
    its first iteration. A folder named by `JAX_COMPILATION_CACHE_DIR` is used
    instead. TensorFlow keeps nothing: without XLA it compiles nothing.
    """
    if keras.backend.backend() != "jax" or OWN_CHOICE in os.environ:
        return
    import jax

    try:
        folder = cache_home() / "jax"
    except OSError:  # there is nowhere to keep it
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update(
        "jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS
    )
