"""What `--devices` asks for."""

import dataclasses
import re

from kresnet.errors import SpecError

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
        SpecError: It is none of these.
    """
    if text is None:
        return None
    plain = text.strip().lower()
    if plain == "all":
        return DeviceRequest("gpu")
    if found := re.fullmatch(r"cpu(?::(\d{1,4}))?", plain):
        count = int(found[1] or 1)
        if 1 <= count <= MOST:
            return DeviceRequest("cpu", count)
    elif re.fullmatch(r"\d{1,4}", plain):
        if 1 <= int(plain) <= MOST:
            return DeviceRequest("gpu", int(plain))
    elif re.fullmatch(r"(gpu:)?\d{1,4}(,(gpu:)?\d{1,4})*", plain):
        ids = tuple(int(part.removeprefix("gpu:")) for part in plain.split(","))
        if len(set(ids)) == len(ids):
            return DeviceRequest("gpu", ids=ids)
    raise SpecError(
        "--devices: must be all, a number of GPUs, a list such as 0,2 or"
        " gpu:1 that names none twice, cpu, or cpu:2 for virtual devices."
        f" Received: {text}"
    )
