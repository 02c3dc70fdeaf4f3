"""Choosing devices that exist and that the batch can be spread over."""

import dataclasses
from collections.abc import Sequence

from kresnet.devices.request import DeviceRequest
from kresnet.errors import DeviceMissingError, SpecError


@dataclasses.dataclass(frozen=True)
class Devices:
    """Devices that were chosen.

    Attributes:
        kind: "gpu" or "cpu".
        ids: Their numbers.
    """

    kind: str = "cpu"
    ids: tuple[int, ...] = (0,)

    @property
    def names(self) -> list[str]:
        """Such as "gpu:0"."""
        return [f"{self.kind}:{number}" for number in self.ids]


def choose_devices(
    request: DeviceRequest | None,
    gpus: Sequence[str],
    batch_size: int,
    images_per_statistic: int | None,
    backend: str,
) -> tuple[Devices, str | None]:
    """Chooses devices for a run, and says what is unusual.

    On TensorFlow a group of batch norm never spans devices, so their number
    must divide that of the groups; on JAX it must divide the batch.

    Args:
        request: What was asked for; `None` takes all GPUs that fit, or one
            CPU device.
        gpus: Names of the GPUs that the backend sees.
        batch_size: Over all devices.
        images_per_statistic: Images in a group; `None` for the whole batch.
        backend: "tensorflow" or "jax".

    Returns:
        The devices, and a notice if GPUs stay idle that nobody excluded.

    Raises:
        DeviceMissingError: There are no such devices; lists those there are.
        SpecError: The batch cannot be spread over as many.
    """
    if request is None:
        if not gpus:
            return Devices(), None
        fits = _divisors(batch_size, images_per_statistic, backend)
        count = max(n for n in fits if n <= len(gpus))
        notice = None
        if count < len(gpus):
            notice = f"using {count} of {len(gpus)} GPUs: " + _fitting(
                batch_size, images_per_statistic, backend
            )
        return Devices("gpu", tuple(range(count))), notice
    if request.kind == "cpu":
        ids = tuple(range(request.count))
    else:
        ids = _existing(request, gpus)
    refuse_uneven(len(ids), batch_size, images_per_statistic, backend)
    return Devices(request.kind, ids), None


def _existing(request: DeviceRequest, gpus: Sequence[str]) -> tuple[int, ...]:
    ids = request.ids or tuple(range(request.count or len(gpus)))
    if missing := [number for number in ids if number >= len(gpus)] or not ids:
        there = "; ".join(f"gpu:{i} {name}" for i, name in enumerate(gpus))
        wanted = (
            ", ".join(f"gpu:{number}" for number in missing)
            if ids
            else "any GPU"
        )
        raise DeviceMissingError(
            f"--devices: this machine does not have {wanted}. It has: "
            f"{there or 'no GPU'}; cpu, and cpu:N for N virtual devices"
        )
    return ids


def refuse_uneven(
    count: int, batch_size: int, images_per_statistic: int | None, backend: str
) -> None:
    """Refuses a number of devices that a batch cannot be spread over.

    Raises:
        SpecError: It cannot; names the nearest batches that can.
    """
    if count in _divisors(batch_size, images_per_statistic, backend):
        return
    fitting = _fitting(batch_size, images_per_statistic, backend)
    if backend == "tensorflow" and images_per_statistic is None:
        more = (
            "name the size of a group in model.batch_norm.images_per_statistic"
        )
    else:
        unit = count
        if backend == "tensorflow":
            unit *= images_per_statistic
        below = batch_size // unit * unit
        nearest = [str(n) for n in (below, below + unit) if n]
        more = (
            f"for {count} devices training.batch_size must be a multiple of"
            f" {unit}, such as {' or '.join(nearest)}"
        )
    raise SpecError(f"--devices: {fitting}; {more}. Received: {count} devices")


def _divisors(batch_size, images_per_statistic, backend) -> list[int]:
    """Numbers of devices that fit, in order."""
    whole = batch_size
    if backend == "tensorflow":
        whole //= images_per_statistic or batch_size
    return [n for n in range(1, whole + 1) if whole % n == 0]


def _fitting(batch_size, images_per_statistic, backend) -> str:
    numbers = _divisors(batch_size, images_per_statistic, backend)
    listed = ", ".join(map(str, numbers))
    if backend == "tensorflow":
        group = images_per_statistic or "all its images"
        return (
            f"a batch of {batch_size} with batch-norm groups of {group} can be"
            f" spread over {listed}, and no group over several"
        )
    return f"a batch of {batch_size} can be spread over {listed}"
