"""From the devices that were asked for to the scope in which a model is made.

TensorFlow has a MirroredStrategy for several devices, and another one for
several processes; JAX has Keras' DataParallel.
"""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

import keras

from kresnet.errors import DeviceMissingError, SpecError
from kresnet.machine.devices import (
    Batch,
    Devices,
    choose_devices,
    parse_devices,
)
from kresnet.machine.surroundings import refuse_backend
from kresnet.machine.team import Team
from kresnet.spec import Spec

refuse_backend("KERAS_BACKEND", keras.backend.backend())

Scope = Callable[[], contextlib.AbstractContextManager]
# Names that JAX_PLATFORMS may have on some machine.
PLATFORMS = ("cpu", "cuda", "gpu", "rocm", "tpu")


@dataclasses.dataclass(frozen=True)
class Placement:
    """Devices that are ready.

    Attributes:
        devices: The devices.
        scope: Makes the context in which the training model is made.
        processes: The number of processes that the devices belong to.
    """

    devices: Devices
    scope: Scope
    processes: int = 1

    @property
    def conditions(self) -> dict[str, object]:
        """What the bits of a result depend on; what is usual is left out.

        The numbers of the devices are usual if they are the first ones, and so
        is one process.
        """
        ids = self.devices.ids
        found: dict[str, object] = {
            "devices": f"{len(ids)} {self.devices.kind}"
        }
        if ids != tuple(range(len(ids))):
            found["device_ids"] = list(ids)
        if self.processes > 1:
            found["processes"] = self.processes
        return found


def place(
    text: str | None, spec: Spec, notify: Callable[[str], None] = lambda _: None
) -> Placement:
    """Prepares devices; before anything has been computed in this process.

    Args:
        text: See `parse_devices`.
        spec: What will be run.
        notify: Is told if GPUs stay idle that nobody excluded.

    Raises:
        DeviceMissingError: There are no such devices; lists those there are.
        SpecError: The text is wrong, the batch cannot be spread so, or it is
            too late: the backend has been used already.
    """
    devices, notice = _devices_for(text, spec)
    if notice:
        notify(notice)
    on_jax = keras.backend.backend() == "jax"
    make = _jax_scope if on_jax else _tensorflow_scope
    try:
        return Placement(devices, make(devices))
    except RuntimeError as error:  # a backend's word for "too late"
        raise SpecError(
            "--devices: must be chosen before"
            f" {'JAX' if on_jax else 'TensorFlow'} is used in this process:"
            f" {error}"
        ) from error


def place_team(spec: Spec, team: Team) -> Placement:
    """Prepares all devices of all processes of a team.

    Raises a SpecError if the batch cannot be spread so.
    """
    on_jax = keras.backend.backend() == "jax"
    make = _jax_team_scope if on_jax else _tensorflow_team_scope
    devices, scope = make(team)
    _batch(spec).refuse_uneven(len(devices.ids))
    return Placement(devices, scope, team.count)


def _jax_team_scope(_: Team) -> tuple[Devices, Scope]:
    import jax

    kind = "cpu" if jax.default_backend() == "cpu" else "gpu"
    parallel = keras.distribution.DataParallel(
        devices=jax.devices(),
        auto_shard_dataset=False,  # each process has its part
    )
    return Devices(kind, tuple(range(jax.device_count()))), parallel.scope


def _tensorflow_team_scope(team: Any) -> tuple[Devices, Scope]:
    strategy = team.strategy
    (device, *_) = strategy.extended.worker_devices
    kind = "gpu" if "GPU" in device else "cpu"
    ids = tuple(range(strategy.num_replicas_in_sync))
    return Devices(kind, ids), strategy.scope


def overview(text: str | None, spec: Spec) -> list[str]:
    """Returns lines: the devices there are, and those that a run would use.

    Arguments and errors are those of `place`; nothing is prepared.
    """
    used, notice = _devices_for(text, spec)
    batch = spec.training.batch_size
    lines = [
        f"backend  {keras.backend.backend()}",
        *(f"gpu:{i:<4} {name}" for i, name in enumerate(_visible_gpus())),
        "cpu      always there; cpu:N makes N virtual devices, for trials",
        "",
        f"{spec.name} would be trained on {', '.join(used.names)}: batches of"
        f" {batch}, {batch // len(used.ids)} images a device",
    ]
    return [*lines, notice] if notice else lines


def refuse_missing_devices() -> None:
    """Raises a DeviceMissingError if JAX_PLATFORMS names devices not there.

    Where it names no kind of device, that is a SpecError.
    """
    if keras.backend.backend() == "jax":  # TensorFlow always has a CPU
        _jax_devices(None)


def _devices_for(text: str | None, spec: Spec) -> tuple[Devices, str | None]:
    """Returns the devices for a run, and a notice if GPUs stay idle."""
    request = parse_devices(text)
    # Asking for GPUs settles JAX' devices: too early for virtual ones.
    on_cpus = request is not None and request.kind == "cpu"
    gpus = () if on_cpus else _visible_gpus()
    return choose_devices(request, gpus, _batch(spec))


def _batch(spec: Spec) -> Batch:
    group = spec.model.images_per_statistic
    return Batch(spec.training.batch_size, group, keras.backend.backend())


def _visible_gpus() -> list[str]:
    """Returns the names of the GPUs that the backend sees, in its order."""
    if keras.backend.backend() == "jax":
        refuse_missing_devices()
        import jax

        try:
            return [device.device_kind for device in jax.devices("gpu")]
        except RuntimeError:  # JAX' word for "none"
            return []
    import tensorflow as tf

    return [
        tf.config.experimental.get_device_details(gpu).get(
            "device_name", gpu.name
        )
        for gpu in tf.config.list_physical_devices("GPU")
    ]


def _tensorflow_scope(devices: Devices) -> Scope:
    import tensorflow as tf

    count = len(devices.ids)
    gpus = tf.config.list_physical_devices("GPU")
    chosen = [gpus[i] for i in devices.ids] if devices.kind == "gpu" else []
    # Only if it changes something: a process may train again.
    if tf.config.get_visible_devices("GPU") != chosen:
        tf.config.set_visible_devices(chosen, "GPU")
    if devices.kind == "cpu" and count > 1:
        (cpu, *_) = tf.config.list_physical_devices("CPU")
        wanted = [tf.config.LogicalDeviceConfiguration()] * count
        if tf.config.get_logical_device_configuration(cpu) != wanted:
            tf.config.set_logical_device_configuration(cpu, wanted)
    if count == 1:
        return contextlib.nullcontext
    # Numbered anew: those that are visible.
    return _strategy(
        *(f"{devices.kind.upper()}:{i}" for i in range(count))
    ).scope


@functools.cache
def _strategy(*names: str) -> Any:
    # One for all runs of a process: a second would give its collectives the
    # numbers of the first's, and TensorFlow would take them for the same.
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(names)


def _jax_scope(devices: Devices) -> Scope:
    import jax

    count, set_count = len(devices.ids), jax.config.jax_num_cpu_devices
    if devices.kind == "cpu" and count > 1 and set_count != count:
        jax.config.update("jax_num_cpu_devices", count)
    there = _jax_devices(devices.kind)
    chosen = [there[number] for number in devices.ids]
    if count == 1:
        if chosen[0] != jax.devices()[0]:
            jax.config.update("jax_default_device", chosen[0])
        return contextlib.nullcontext
    return keras.distribution.DataParallel(devices=chosen).scope


def _jax_devices(kind: str | None) -> list[Any]:
    """Returns JAX' devices of a kind; says why there are none."""
    import jax

    try:
        return jax.devices(kind)
    except (AssertionError, RuntimeError) as error:
        asked = jax.config.jax_platforms or os.environ.get("JAX_PLATFORM_NAME")
        # JAX' words are an empty AssertionError at times.
        said = " ".join(str(error).split()) or "none of them can be used"
        if asked and not set(asked.split(",")) & set(PLATFORMS):
            raise SpecError(
                f"JAX_PLATFORMS: must be some of {', '.join(PLATFORMS)}, or"
                f" unset for what there is. Received: {asked}"
            ) from error
        limited = f" of JAX_PLATFORMS={asked}" if asked else ""
        raise DeviceMissingError(
            f"this machine has no {kind or 'device'}{limited} that JAX can use;"
            f" unset it for what there is. JAX says: {said}"
        ) from error
