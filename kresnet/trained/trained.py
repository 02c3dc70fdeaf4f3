"""What every trained network can do, whatever it was opened from."""

import abc
import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kresnet.data import Images, Source, open_source
from kresnet.errors import BadDataError
from kresnet.records.identity import Identity
from kresnet.spec import DatasetFacts, Spec

if TYPE_CHECKING:
    from kresnet.trained.layered import Layered


@dataclasses.dataclass(frozen=True)
class Trained(abc.ABC):
    """A trained network, opened for use; `open_trained` returns one.

    Attributes:
        folder: Its path.
        spec: What was trained.
        statistics: Where those of batch norm come from, in words.
    """

    folder: Path
    spec: Spec
    statistics: str = dataclasses.field(
        default="moving averages of training", kw_only=True
    )

    @property
    @abc.abstractmethod
    def identity(self) -> Identity:
        """What it is; of a run, seed and data are known."""

    @property
    @abc.abstractmethod
    def iteration(self) -> int:
        """How many updates were done."""

    @abc.abstractmethod
    def logits(self, pixels: Images | np.ndarray) -> np.ndarray:
        """Runs the network as in inference.

        Args:
            pixels: uint8 `(count, height, width, channels)`, as in the data
                set; the size is that of `spec.model.input`. Where
                `takes_any_size`, whole images of any one size.

        Returns:
            float64 `(count, classes)`, but for a number that is added to all
            logits of an image.
        """

    def check_usable(self) -> None:
        """Raises what `logits` would whatever the pixels, before any work."""
        return

    @abc.abstractmethod
    def with_layers(self, use: str) -> "Layered":
        """Returns itself for a use that needs more than logits.

        Args:
            use: What needs the layers, for the message.

        Raises:
            SpecError: It gives logits only.
        """

    @property
    def kind(self) -> str | None:
        """What a protocol calls it; `None` for the network of a run."""
        return None

    @property
    def takes_any_size(self) -> bool:
        """Whether it has the test view inside, and takes whole images."""
        return False

    @property
    def is_last(self) -> bool:
        """Whether no later weights of the same training are in its folder."""
        return True

    @property
    def results(self) -> Path | None:
        """Where evaluations are written; `None` if nothing may be added."""
        return self.folder

    @property
    def facts(self) -> DatasetFacts:
        """What is known of its data set without loading it."""
        return self.spec.data.facts

    @property
    @abc.abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """In the order of the labels."""

    def data(self, data_dir: str | os.PathLike[str] | None = None) -> Source:
        """Loads the data set that it was trained on.

        Args:
            data_dir: Where they are; see `open_source`.

        Raises:
            BadDataError: The data found are other ones.
        """
        data = open_source(self.spec, data_dir)
        own = self.identity
        if own.differences(own.with_data(data.fingerprint)):
            raise BadDataError(
                f"{self.folder}: was trained on other data than the"
                f" {data.found}"
            )
        return data
