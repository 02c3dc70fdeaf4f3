"""What concerns the machine and not the experiment."""

import dataclasses
import os

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

    Raises:
        SpecError: A value is out of range.
    """

    data_dir: str | os.PathLike[str] | None = None
    checkpoint_every: int = 1_000
    strict: bool = False
    precision: str = "float32"
    rematerialize: bool = False

    def __post_init__(self):
        if self.checkpoint_every < 1:
            raise SpecError(
                "--checkpoint-every: must be at least 1. Received: "
                f"{self.checkpoint_every}"
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
        }
