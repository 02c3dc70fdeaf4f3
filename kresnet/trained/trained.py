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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trained(abc.ABC):
    """A trained network, opened for use; `open_trained` returns one.

    Attributes:
        folder: Its path.
        spec: What was trained.
        identity: What it is; of a run, seed and data are known.
        iteration: How many updates were done.
        class_names: In the order of the labels.
        statistics: Where those of batch norm come from, in words.
        kind: What a protocol calls it; `None` for the network of a run.
        is_last: Whether no later weights of the same training are in its
            folder.
        takes_any_size: Whether it has the test view inside, and takes whole
            images.
    """

    folder: Path
    spec: Spec
    identity: Identity
    iteration: int
    class_names: tuple[str, ...]
    statistics: str = "moving averages of training"
    kind: str | None = None
    is_last: bool = True
    takes_any_size: bool = False

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
        """Returns itself, or raises a SpecError if it gives logits only.

        `use` is what needs the layers, for the message.
        """

    @property
    def results(self) -> Path | None:
        """Where evaluations are written; `None` if nothing may be added."""
        return self.folder

    @property
    def facts(self) -> DatasetFacts:
        """What is known of its data set without loading it."""
        return self.spec.data.facts

    def data(self, data_dir: str | os.PathLike[str] | None = None) -> Source:
        """Loads the data set that it was trained on; see `open_source`.

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
