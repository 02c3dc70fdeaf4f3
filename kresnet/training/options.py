"""What concerns the machine and not the experiment."""

import dataclasses
import os

from kresnet.errors import SpecError
from kresnet.machine.team import Membership
from kresnet.network import PRECISIONS
from kresnet.network.precision import full_precision

# What each process of a team may have its own of.
OWN = frozenset(
    {"data_dir", "devices", "membership", "strict", "wait_for_lock"}
)


@dataclasses.dataclass(frozen=True)
class Options:
    """How to run, whatever the spec.

    Attributes:
        data_dir: Where prepared data sets are; see `load_dataset`.
        checkpoint_every: Iterations between checkpoints.
        strict: Refuse to continue a run where versions or hardware changed
            and the result would not be bit-identical.
        precision: "float32", or "bfloat16" for the convolutions: weights,
            batch-norm statistics and the loss stay float32.
        rematerialize: Keep only the inputs of blocks for the backward pass:
            less memory, a third more time, the same result.
        responses_every: Iterations between measurements of the layer
            responses (figure 7), written to responses.csv and
            residual_ratios.csv; `None` for none.
        response_images: Images they are measured on, the first ones of the
            training split, not augmented; 0 for the whole split.
        gradients_every: Iterations between measurements of the gradient's
            norm by layer, written to gradients.csv; `None` for none.
        devices: "all" GPUs, a number of them, a list such as "0,2", "cpu", or
            "cpu:2" for virtual devices; `None` for all GPUs that the batch
            can be spread over, or one CPU device. Before anything has been
            computed in this process.
        deterministic: Ask for equal bits each time on GPUs too, where it costs
            speed. CPUs are deterministic.
        membership: For one of several processes that train one network
            together, on JAX; process 0 alone writes the folder.
        wait_for_lock: Seconds to wait for another process in the same folder
            before it is an error.

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
    def shared(self) -> dict[str, object]:
        """Those that all processes of a team must have in common."""
        return {
            name: value for name, value in vars(self).items() if name not in OWN
        }

    @property
    def computed_in(self) -> str:
        """The precision of a run's identity, which float64 is too."""
        return "bfloat16" if self.precision == "bfloat16" else full_precision()

    @property
    def conditions(self) -> dict[str, object]:
        """Those that the bits of a result depend on, of one identity."""
        return {
            "rematerialize": self.rematerialize,
            "deterministic": self.deterministic,
        }
