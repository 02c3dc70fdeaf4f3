"""An export, opened for use: its record and the function that it holds."""

import dataclasses
import functools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from pydantic import ValidationError

from kresnet import sealed_folder
from kresnet.architecture import StageFields
from kresnet.data import Images
from kresnet.errors import (
    BadDataError,
    InputMissingError,
    SpecError,
    read_error,
)
from kresnet.records.export import ExportRecord, export_record_class
from kresnet.trained.runtimes import Probabilities, load_exported
from kresnet.trained.trained import Trained

# Images that it is given at a time.
BATCH = 500
# Stands for a probability that was rounded to 0, which has no logarithm.
LEAST = float(np.finfo("float32").smallest_subnormal)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export(Trained):
    """An export whose files are those that were sealed.

    Attributes:
        record: What its manifest says.
    """

    record: ExportRecord

    @property
    def results(self) -> None:
        return None  # an export is sealed

    def check_usable(self) -> None:
        _ = self.probabilities  # loads it

    def with_layers(self, use: str) -> NoReturn:
        raise SpecError(
            f"{use}: needs the layers of a run. Received: {self.folder}, an"
            " export, which gives logits only"
        )

    @functools.cached_property
    def probabilities(self) -> Probabilities:
        """The function that it holds; a program, so it is loaded on first use.

        Raises:
            InputMissingError: The packages of its format are not installed.
        """
        format = self.record.format
        try:
            with tempfile.TemporaryDirectory(prefix="kresnet-") as aside:
                # TensorFlow takes brackets and backslashes in a path for a
                # pattern, and no name that is not UTF-8.
                link = Path(aside, "export")
                link.symlink_to(self.folder.absolute())
                return load_exported(link, format)[0]
        except ImportError as error:
            raise InputMissingError(
                f"{self.folder}: needs {error.name}, not installed here: pip"
                f" install 'kresnet[{format}]'"
            ) from error

    def logits(self, pixels: Images | np.ndarray) -> np.ndarray:
        batches = self._batches(pixels)
        probabilities = [self.probabilities(batch) for batch in batches]
        none = np.zeros((0, self.spec.model.classes))  # also makes it float64
        return np.log(np.maximum(np.concatenate([none, *probabilities]), LEAST))

    def _batches(self, pixels) -> Iterator[np.ndarray]:
        if self.takes_any_size and isinstance(pixels, Images):
            for i in range(len(pixels)):  # a batch has one size
                yield pixels.whole(i)[None]
            return
        for i in range(0, len(pixels), BATCH):
            yield np.ascontiguousarray(pixels[i : i + BATCH])


def load_export(
    folder: Path, stages: Sequence[type[StageFields]] = ()
) -> Export:
    """Opens an export folder; see `open_trained`."""
    try:
        content = sealed_folder.verify(folder)
    except sealed_folder.DamagedError as error:
        raise BadDataError(f"{error}; the export is not loaded") from error
    except OSError as error:
        raise read_error(folder, error) from error
    try:
        record = export_record_class(stages).model_validate(content)
    except ValidationError as error:
        raise BadDataError(
            f"{folder}: not an export of this version of kresnet"
        ) from error
    return Export(
        folder=folder,
        spec=record.spec,
        identity=record.identity.with_spec(record.spec),
        iteration=record.iteration,
        class_names=record.class_names,
        kind=f"export, {record.format}",
        takes_any_size=record.spec.data.views is not None,
        record=record,
    )
