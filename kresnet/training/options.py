"""What concerns the machine and not the experiment."""

import dataclasses
import os

from kresnet.devices import Membership
from kresnet.errors import SpecError
from kresnet.network import PRECISIONS


@dataclasses.dataclass(frozen=True)
class Options:
    """How to run, whatever the spec; `train` says more.

    Attributes:
        data_dir: Where prepared data sets are.
        checkpoint_every: Iterations between checkpoints.
        strict: Refuse to go on where the result would not be bit-identical.
        precision: Of the convolutions, "float32" or "bfloat16".
        rematerialize: Keep the inputs of blocks only.
        responses_every: Iterations between rows of responses.csv; `None` for
            no such file.
        response_images: Training images they are measured on, the first ones
            of the split; 0 for all.
        gradients_every: Iterations between rows of gradients.csv.
        devices: Which ones, see `parse_devices`; `None` for all GPUs that
            fit, or one CPU device.
        deterministic: Ask for equal bits each time on GPUs too.
        membership: Of the processes that train together; `None` for one.
        wait_for_lock: Seconds to wait for another process in the folder.

    Raises:
        SpecError: A value is out of range.
    """

    data_dir: str | os.PathLike[str] | None = None
    checkpoint_every: int = 1_000
    strict: bool = False
    precision: str = "float32"
    rematerialize: bool = False
    responses_every: int | None = None
    response_images: int = 1_000
    gradients_every: int | None = None
    devices: str | None = None
    deterministic: bool = False
    membership: Membership | None = None
    wait_for_lock: int = 0

    def __post_init__(self):
        for name, least in (
            ("checkpoint_every", 1),
            ("responses_every", 1),
            ("response_images", 0),
            ("gradients_every", 1),
            ("wait_for_lock", 0),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise SpecError(
                    f"--{name.replace('_', '-')}: must be at least {least}. "
                    f"Received: {value}"
                )
        if self.membership and self.gradients_every:
            raise SpecError(
                "--gradients-every: is measured by one process alone; leave"
                " it out with --coordinator"
            )
        if self.precision not in PRECISIONS:
            raise SpecError(
                f"--precision: must be one of {', '.join(PRECISIONS)}. "
                f"Received: {self.precision}"
            )

    @property
    def conditions(self) -> dict[str, object]:
        """Those that the bits of a result depend on."""
        return {
            "precision": self.precision,
            "rematerialize": self.rematerialize,
            "deterministic": self.deterministic,
        }
