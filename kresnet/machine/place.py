"""From what was asked for to the scope in which a model is made."""

import contextlib
import dataclasses
from collections.abc import Callable

import keras

from kresnet.machine.devices import (
    Devices,
    choose_devices,
    parse_devices,
    refuse_uneven,
)
from kresnet.machine.surroundings import refuse_backend
from kresnet.spec import Spec

refuse_backend("KERAS_BACKEND", keras.backend.backend())
if keras.backend.backend() == "tensorflow":
    from kresnet.machine import place_tensorflow as backend
else:
    from kresnet.machine import place_jax as backend


@dataclasses.dataclass(frozen=True)
class Placement:
    """Devices that are ready.

    Attributes:
        devices: Which.
        scope: Makes the context in which the training model is made.
        processes: The number of processes that the devices belong to.
    """

    devices: Devices
    scope: Callable[[], contextlib.AbstractContextManager]
    processes: int = 1

    @property
    def conditions(self) -> dict[str, object]:
        """What the bits of a result depend on.

        Which devices, if not the first ones, and how many processes, if
        several: what is usual is not in the records of older runs either.
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


def visible_gpus() -> list[str]:
    """Names of the GPUs that the Keras backend sees, in its order."""
    return backend.visible_gpus()


def refuse_missing_devices() -> None:
    """Looks for the devices of the Keras backend.

    Raises:
        DeviceMissingError: JAX_PLATFORMS names devices that are not there.
        SpecError: It names no kind of device.
    """
    backend.refuse_missing_devices()


def devices_for(text: str | None, spec: Spec) -> tuple[Devices, str | None]:
    """The devices that a run of a spec would use.

    Args:
        text: See `parse_devices`.
        spec: Has the batch and its groups.

    Returns:
        The devices, and a notice if GPUs stay idle that nobody excluded.

    Raises:
        DeviceMissingError: There are no such devices; lists those there are.
        SpecError: The text is wrong, or the batch cannot be spread so.
    """
    request = parse_devices(text)
    # Asking for GPUs settles JAX' devices: too early for virtual ones.
    on_cpus = request is not None and request.kind == "cpu"
    return choose_devices(
        request,
        () if on_cpus else visible_gpus(),
        spec.training.batch_size,
        spec.model.batch_norm.images_per_statistic,
        keras.backend.backend(),
    )


def place(
    text: str | None, spec: Spec, notify: Callable[[str], None] = lambda _: None
) -> Placement:
    """Prepares devices; before anything has been computed in this process.

    Args:
        text: See `parse_devices`.
        spec: What will be run.
        notify: Told if GPUs stay idle that nobody excluded.

    Raises:
        DeviceMissingError: There are no such devices; lists those there are.
        SpecError: The text is wrong, the batch cannot be spread so, or it is
            too late: the backend has been used already.
    """
    devices, notice = devices_for(text, spec)
    if notice:
        notify(notice)
    return Placement(devices, backend.scope(devices))


def place_team(spec: Spec, processes: int) -> Placement:
    """All devices of all processes of a team, on JAX.

    Raises:
        SpecError: The batch cannot be spread so.
    """
    devices = backend.all_devices()
    refuse_uneven(
        len(devices.ids),
        spec.training.batch_size,
        spec.model.batch_norm.images_per_statistic,
        keras.backend.backend(),
    )
    return Placement(devices, backend.scope_of_all(), processes)
