"""Devices on TensorFlow: MirroredStrategy where there are several."""

import contextlib
import functools
from collections.abc import Callable

import tensorflow as tf

from kresnet.errors import SpecError
from kresnet.machine.devices import Devices


def visible_gpus() -> list[str]:
    """See `kresnet.machine.place.visible_gpus`."""
    return [
        tf.config.experimental.get_device_details(gpu).get(
            "device_name", gpu.name
        )
        for gpu in tf.config.list_physical_devices("GPU")
    ]


def refuse_missing_devices() -> None:
    """TensorFlow always has a CPU."""


def scope(devices: Devices) -> Callable[[], contextlib.AbstractContextManager]:
    """Prepares the devices; see `kresnet.machine.place.Placement.scope`."""
    gpus = tf.config.list_physical_devices("GPU")
    chosen = [gpus[i] for i in devices.ids] if devices.kind == "gpu" else []
    count = len(devices.ids)
    try:
        # Only if it changes something: a process may train again.
        if tf.config.get_visible_devices("GPU") != chosen:
            tf.config.set_visible_devices(chosen, "GPU")
        if devices.kind == "cpu" and count > 1:
            _make_virtual_cpus(count)
    except RuntimeError as error:  # TensorFlow's word for "too late"
        raise SpecError(
            "--devices: must be chosen before TensorFlow is used in this"
            f" process: {error}"
        ) from error
    if count == 1:
        return contextlib.nullcontext
    # Numbered anew: those that are visible.
    return _strategy(
        *(f"{devices.kind.upper()}:{i}" for i in range(count))
    ).scope


@functools.cache
def _strategy(*names: str) -> tf.distribute.Strategy:
    # One for all runs of a process: a second would give its collectives the
    # numbers of the first's, and TensorFlow would take them for the same.
    return tf.distribute.MirroredStrategy(names)


def _make_virtual_cpus(count: int) -> None:
    (cpu, *_) = tf.config.list_physical_devices("CPU")
    wanted = [tf.config.LogicalDeviceConfiguration()] * count
    if tf.config.get_logical_device_configuration(cpu) != wanted:
        tf.config.set_logical_device_configuration(cpu, wanted)
