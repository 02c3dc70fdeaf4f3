"""Devices on JAX: Keras' DataParallel where there are several."""

import contextlib
from collections.abc import Callable

import jax
import keras

from kresnet.devices.choice import Devices
from kresnet.errors import SpecError


def visible_gpus() -> list[str]:
    """See `kresnet.devices.visible_gpus`."""
    try:
        return [device.device_kind for device in jax.devices("gpu")]
    except RuntimeError:  # JAX' word for "none"
        return []


def scope(devices: Devices) -> Callable[[], contextlib.AbstractContextManager]:
    """Prepares the devices; see `kresnet.devices.Placement.scope`."""
    count = len(devices.ids)
    if devices.kind == "cpu" and count > 1:
        _make_virtual_cpus(count)
    there = jax.devices(devices.kind)
    chosen = [there[number] for number in devices.ids]
    if count == 1:
        if chosen[0] != jax.devices()[0]:
            jax.config.update("jax_default_device", chosen[0])
        return contextlib.nullcontext
    return keras.distribution.DataParallel(devices=chosen).scope


def all_devices() -> Devices:
    """The devices of all processes."""
    kind = "cpu" if jax.default_backend() == "cpu" else "gpu"
    return Devices(kind, tuple(range(jax.device_count())))


def scope_of_all() -> Callable[[], contextlib.AbstractContextManager]:
    """Spreads batches over the devices of all processes."""
    return keras.distribution.DataParallel(
        devices=jax.devices(),
        auto_shard_dataset=False,  # each has its part
    ).scope


def _make_virtual_cpus(count: int) -> None:
    if jax.config.jax_num_cpu_devices == count:
        return
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError as error:  # JAX' word for "too late"
        raise SpecError(
            "--devices: must be chosen before JAX is used in this process:"
            f" {error}"
        ) from error
