"""The options of a training, and what of them a team shares."""

import os
from collections.abc import Iterator

from pydantic import ConfigDict, SkipValidation, model_validator

from kresnet.documents import Problem, raise_problems
from kresnet.machine.team import Membership
from kresnet.network.precision import full_precision
from kresnet.options import RunOptions

# What each process of a team may have its own of.
OWN = frozenset(
    {"data_dir", "devices", "membership", "strict", "wait_for_lock"}
)


class Options(RunOptions):
    """How to run, whatever the spec.

    Attributes:
        data_dir: Where prepared data sets are; see `load_dataset`.
        membership: For one of several processes that train one network
            together, on JAX; process 0 alone writes the folder.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    data_dir: SkipValidation[str | os.PathLike[str] | None] = None
    membership: SkipValidation[Membership | None] = None

    @model_validator(mode="after")
    def _agrees(self) -> "Options":
        raise_problems((_gradients_are_measured_by_one,), self)
        return self

    @property
    def shared(self) -> dict[str, object]:
        """Those that all processes of a team must have in common."""
        return {name: value for name, value in self if name not in OWN}

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


def _gradients_are_measured_by_one(options: Options) -> Iterator[Problem]:
    if options.membership and options.gradients_every:
        yield Problem(
            ("gradients_every",),
            "is measured by one process alone; leave it out with --coordinator",
        )
