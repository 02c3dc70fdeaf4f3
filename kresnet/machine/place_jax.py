"""Devices on JAX: Keras' DataParallel where there are several."""

import contextlib
import os
from collections.abc import Callable

import jax
import keras

from kresnet.errors import DeviceMissingError, SpecError
from kresnet.machine.devices import Devices

# Names that JAX_PLATFORMS may have on some machine.
PLATFORMS = ("cpu", "cuda", "gpu", "rocm", "tpu")


def visible_gpus() -> list[str]:
    """See `kresnet.machine.place.visible_gpus`."""
    refuse_missing_devices()
    try:
        return [device.device_kind for device in jax.devices("gpu")]
    except RuntimeError:  # JAX' word for "none"
        return []


def refuse_missing_devices() -> None:
    """See `kresnet.machine.place.refuse_missing_devices`."""
    _devices(None)


def _devices(kind: str | None) -> list[jax.Device]:
    try:
        return jax.devices(kind)
    except (AssertionError, RuntimeError) as error:
        raise _missing(kind, error) from error


def _missing(
    kind: str | None, error: Exception
) -> SpecError | DeviceMissingError:
    """What JAX means, whose words are an empty AssertionError at times."""
    asked = jax.config.jax_platforms or os.environ.get("JAX_PLATFORM_NAME")
    said = " ".join(str(error).split()) or "none of them can be used"
    if asked and not set(asked.split(",")) & set(PLATFORMS):
        return SpecError(
            f"JAX_PLATFORMS: must be some of {', '.join(PLATFORMS)}, or unset"
            f" for what there is. Received: {asked}"
        )
    limited = f" of JAX_PLATFORMS={asked}" if asked else ""
    return DeviceMissingError(
        f"this machine has no {kind or 'device'}{limited} that JAX can use;"
        f" unset it for what there is. JAX says: {said}"
    )


def scope(devices: Devices) -> Callable[[], contextlib.AbstractContextManager]:
    """Prepares the devices; see `kresnet.machine.place.Placement.scope`."""
    count = len(devices.ids)
    if devices.kind == "cpu" and count > 1:
        _make_virtual_cpus(count)
    there = _devices(devices.kind)
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
