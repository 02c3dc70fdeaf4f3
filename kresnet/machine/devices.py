"""Devices: asked for by `--devices`, and chosen among those there are."""

import dataclasses
import re
from collections.abc import Sequence

from kresnet.errors import DeviceMissingError, SpecError

MOST = 1_024


@dataclasses.dataclass(frozen=True)
class DeviceRequest:
    """Devices of one kind.

    Attributes:
        kind: "gpu" or "cpu".
        count: How many; `None` for all, or where `ids` says which.
        ids: Numbers of the GPUs, in order; `None` for the first ones.
    """

    kind: str
    count: int | None = None
    ids: tuple[int, ...] | None = None


def parse_devices(text: str | None) -> DeviceRequest | None:
    """Reads `--devices`.

    Args:
        text: "all" GPUs; "2" GPUs, the first two; "0,2" or "gpu:0,gpu:2",
            these; "gpu:1", this one; "cpu", one CPU device; "cpu:2", two
            virtual ones, for trials. `None`: nothing was asked for.

    Raises:
        SpecError: The text is none of these.
    """
    if text is None:
        return None
    plain = text.strip().lower()
    if plain == "all":
        return DeviceRequest("gpu")
    if found := re.fullmatch(r"cpu(?::([0-9]{1,4}))?", plain):
        count = int(found[1] or 1)
        if 1 <= count <= MOST:
            return DeviceRequest("cpu", count)
    elif re.fullmatch(r"[0-9]{1,4}", plain):
        if 1 <= int(plain) <= MOST:
            return DeviceRequest("gpu", int(plain))
    elif re.fullmatch(r"(gpu:)?[0-9]{1,4}(,(gpu:)?[0-9]{1,4})*", plain):
        ids = tuple(int(part.removeprefix("gpu:")) for part in plain.split(","))
        if len(set(ids)) == len(ids):
            return DeviceRequest("gpu", ids=ids)
    raise SpecError(
        "--devices: must be all, a number of GPUs, a list such as 0,2 or"
        " gpu:1 that names none twice, cpu, or cpu:2 for virtual devices."
        f" Received: {text}"
    )


@dataclasses.dataclass(frozen=True)
class Devices:
    """The devices that were chosen.

    Attributes:
        kind: "gpu" or "cpu".
        ids: The numbers of the devices.
    """

    kind: str = "cpu"
    ids: tuple[int, ...] = (0,)

    @property
    def names(self) -> list[str]:
        """The names of the devices, such as "gpu:0"."""
        return [f"{self.kind}:{number}" for number in self.ids]


def choose_devices(
    request: DeviceRequest | None,
    gpus: Sequence[str],
    batch_size: int,
    images_per_statistic: int | None,
    backend: str,
) -> tuple[Devices, str | None]:
    """Chooses devices for a run, with a notice if GPUs stay idle unasked.

    Without a request these are all GPUs that fit, or one CPU device. On
    TensorFlow a group of batch norm never spans devices, so their number must
    divide that of the groups; on JAX it must divide the batch.

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
        ids = tuple(range(request.count or 1))
    else:
        ids = _existing(request, gpus)
    refuse_uneven(len(ids), batch_size, images_per_statistic, backend)
    return Devices(request.kind, ids), None


def _existing(request: DeviceRequest, gpus: Sequence[str]) -> tuple[int, ...]:
    ids = request.ids or tuple(range(request.count or len(gpus)))
    missing = [number for number in ids if number >= len(gpus)]
    if missing or not ids:
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
    """Raises a SpecError if a batch cannot be spread over so many devices."""
    if count in _divisors(batch_size, images_per_statistic, backend):
        return
    fitting = _fitting(batch_size, images_per_statistic, backend)
    if backend == "tensorflow" and images_per_statistic is None:
        more = (
            "name the size of a group in model.batch_norm.images_per_statistic"
        )
    else:
        unit = count
        if backend == "tensorflow" and images_per_statistic is not None:
            unit *= images_per_statistic
        below = batch_size // unit * unit
        nearest = [str(n) for n in (below, below + unit) if n]
        more = (
            f"for {count} devices training.batch_size must be a multiple of"
            f" {unit}, such as {' or '.join(nearest)}"
        )
    raise SpecError(f"--devices: {fitting}; {more}. Received: {count} devices")


def _divisors(batch_size, images_per_statistic, backend) -> list[int]:
    """Returns the numbers of devices that fit, in order."""
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
