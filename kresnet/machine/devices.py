"""Devices: asked for by `--devices`, and chosen among those there are."""

import dataclasses
import re
from collections.abc import Sequence

from kresnet.errors import DeviceMissingError, SpecError

MOST = 1_024


@dataclasses.dataclass(frozen=True)
class DeviceRequest:
    """Devices of one kind, "gpu" or "cpu"."""

    kind: str
    count: int | None = None  # `None` for all, or where `ids` says which
    ids: tuple[int, ...] | None = None  # in order; `None` for the first ones


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
    """The devices that were chosen, GPUs or CPU devices, by their numbers."""

    kind: str = "cpu"
    ids: tuple[int, ...] = (0,)

    @property
    def names(self) -> list[str]:
        """The names of the devices, such as "gpu:0"."""
        return [f"{self.kind}:{number}" for number in self.ids]


@dataclasses.dataclass(frozen=True)
class Batch:
    """A batch of a training, to be spread over devices.

    On TensorFlow a group of batch norm never spans devices, so their number
    must divide that of the groups; on JAX it must divide the batch.

    Attributes:
        size: Its images.
        group: The images of a group of batch norm; `None` for all of them.
        backend: "tensorflow" or "jax".
    """

    size: int
    group: int | None
    backend: str

    @property
    def least(self) -> int:
        """The images that stay together on a device."""
        return 1 if self.backend == "jax" else self.group or self.size

    @property
    def counts(self) -> list[int]:
        """The numbers of devices that it can be spread over, in order."""
        parts = self.size // self.least
        return [n for n in range(1, parts + 1) if parts % n == 0]

    @property
    def about(self) -> str:
        """Says over how many devices it can be spread."""
        spread = f"can be spread over {', '.join(map(str, self.counts))}"
        if self.backend == "jax":
            return f"a batch of {self.size} {spread}"
        return (
            f"a batch of {self.size} with batch-norm groups of"
            f" {self.group or 'all its images'} {spread}, and no group over"
            " several"
        )

    def refuse_uneven(self, count: int) -> None:
        """Raises a SpecError if it cannot be spread over so many devices."""
        if count in self.counts:
            return
        if self.backend == "tensorflow" and self.group is None:
            more = (
                "name the size of a group in"
                " model.batch_norm.images_per_statistic"
            )
        else:
            unit = count * self.least
            below = self.size // unit * unit
            nearest = [str(n) for n in (below, below + unit) if n]
            more = (
                f"for {count} devices training.batch_size must be a multiple of"
                f" {unit}, such as {' or '.join(nearest)}"
            )
        raise SpecError(
            f"--devices: {self.about}; {more}. Received: {count} devices"
        )


def choose_devices(
    request: DeviceRequest | None, gpus: Sequence[str], batch: Batch
) -> tuple[Devices, str | None]:
    """Chooses devices for a run, with a notice if GPUs stay idle unasked.

    Without a request these are all GPUs that fit, or one CPU device.

    Raises:
        DeviceMissingError: There are no such devices; lists those there are.
        SpecError: The batch cannot be spread over as many.
    """
    if request is None:
        if not gpus:
            return Devices(), None
        count = max(n for n in batch.counts if n <= len(gpus))
        notice = None
        if count < len(gpus):
            notice = f"using {count} of {len(gpus)} GPUs: {batch.about}"
        return Devices("gpu", tuple(range(count))), notice
    if request.kind == "cpu":
        ids = tuple(range(request.count or 1))
    else:
        ids = _existing(request, gpus)
    batch.refuse_uneven(len(ids))
    return Devices(request.kind, ids), None


def _existing(request: DeviceRequest, gpus: Sequence[str]) -> tuple[int, ...]:
    ids = request.ids or tuple(range(request.count or len(gpus)))
    missing = [f"gpu:{number}" for number in ids if number >= len(gpus)]
    if missing or not ids:
        there = "; ".join(f"gpu:{i} {name}" for i, name in enumerate(gpus))
        raise DeviceMissingError(
            "--devices: this machine does not have"
            f" {', '.join(missing) or 'any GPU'}. It has: "
            f"{there or 'no GPU'}; cpu, and cpu:N for N virtual devices"
        )
    return ids
