"""The options of a training, and what of them a team shares."""

import os
from collections.abc import Iterator, Sequence
from typing import Annotated

import keras
from pydantic import ConfigDict, SkipValidation, WithJsonSchema, model_validator

from kresnet.documents import Problem, raise_problems
from kresnet.instruments import INSTRUMENTS, Instrument
from kresnet.machine.team import Membership
from kresnet.network.precision import full_precision
from kresnet.run_options import RunOptions

# Each process of a team may have its own of these.
OWN = frozenset(
    {
        "callbacks",
        "data_dir",
        "devices",
        "instruments",
        "membership",
        "strict",
        "wait_for_lock",
    }
)


class Options(RunOptions):
    """How to run, whatever the spec.

    Attributes:
        data_dir: Where prepared data sets are; see `load_dataset`.
        membership: For one of several processes that train one network
            together; process 0 alone writes the folder.
        instruments: Instruments of your own, such as `[Mine(every=100)]`; each
            writes its files into the run's folder.
        callbacks: Keras callbacks of your own; not with `membership`. A batch
            is what is trained in one go, some iterations, and its logs are
            means; an epoch ends with each row of metrics.csv, and its logs are
            the row's numbers. `stop_training` ends nothing.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    data_dir: SkipValidation[str | os.PathLike[str] | None] = None
    membership: SkipValidation[Membership | None] = None
    instruments: Annotated[
        SkipValidation[Sequence[Instrument]], WithJsonSchema({})
    ] = ()

    callbacks: Annotated[
        SkipValidation[Sequence[keras.callbacks.Callback]], WithJsonSchema({})
    ] = ()

    @model_validator(mode="after")
    def _agrees(self) -> "Options":
        raise_problems((_files_have_one_writer, _callbacks_are_keras), self)
        return self

    @property
    def measured(self) -> list[Instrument]:
        """The instruments that were asked for."""
        shipped = ((x, getattr(self, f"{x.name}_every")) for x in INSTRUMENTS)
        asked = [each(every) for each, every in shipped if every]
        return [*asked, *self.instruments]

    @property
    def shared(self) -> dict[str, object]:
        """Those that all processes of a team must have in common."""
        shared = {name: value for name, value in self if name not in OWN}
        # Chunks end where something is measured.
        return shared | {"measured": [(m.name, m.every) for m in self.measured]}

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


def _files_have_one_writer(options: Options) -> Iterator[Problem]:
    files = ["metrics", "losses"]
    files += [table.name for each in INSTRUMENTS for table in each.tables]
    for each in options.instruments:
        if not isinstance(each, Instrument):
            yield Problem(("instruments",), "must be a list of Instruments")
            return
        for table in each.tables:
            if table.name in files:
                message = f"{table.name}.csv is written already"
                yield Problem(("instruments",), message)
            files.append(table.name)


def _callbacks_are_keras(options: Options) -> Iterator[Problem]:
    given, kind = options.callbacks, keras.callbacks.Callback
    if not isinstance(given, Sequence) or not all(
        isinstance(each, kind) for each in given
    ):
        yield Problem(("callbacks",), "must be a list of Keras callbacks")
    elif given and options.membership:
        message = "are for one process; leave them out with --coordinator"
        yield Problem(("callbacks",), message)
