"""An import, opened for use: weights of another program in a spec's network."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import keras
from safetensors import SafetensorError
from safetensors.numpy import load_file

from kresnet import sealed_folder
from kresnet.architecture import StageFields
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.machine.surroundings import check_floatx
from kresnet.records.checkpoints import Arrays
from kresnet.records.identity import Identity
from kresnet.records.imported import (
    IMPORT,
    WEIGHTS,
    ImportRecord,
    read_import,
)
from kresnet.spec import load_spec, recipe_digest
from kresnet.trained.layered import Layered


@dataclasses.dataclass(frozen=True)
class Import(Layered):
    """An import whose files are those that were written.

    Attributes:
        record: What import.json says.
        arrays: The weights; zeros where there were none.
    """

    record: ImportRecord
    arrays: Arrays = dataclasses.field(repr=False)

    @property
    def class_names(self) -> tuple[str, ...]:
        """See `Trained.class_names`; numbers where only the data have names."""
        numbers = range(self.spec.model.classes)
        return self.facts.class_names or tuple(f"class {i}" for i in numbers)

    @property
    def weights(self) -> Arrays:
        return self.arrays

    @property
    def lacks(self) -> tuple[str, ...]:
        return self.record.drawn

    def with_weights(self, weights: Arrays, statistics: str) -> Self:
        return dataclasses.replace(self, arrays=weights, statistics=statistics)

    @property
    def identity(self) -> Identity:
        return self.record.identity(self.spec)

    @property
    def iteration(self) -> int:
        return 0

    @property
    def kind(self) -> str:
        names = " and ".join(file.name for file in self.record.files)
        return f"import of {names}"

    def inference_model(self) -> keras.Model:
        self.check_usable()
        return super().inference_model()

    def model_of_any_size(self) -> keras.Model:
        self.check_usable()
        return super().model_of_any_size()

    def check_usable(self) -> None:
        if not self.record.has_classifier:
            raise SpecError(
                f"{self.folder}: has no classifier: it was imported without;"
                " begin a run with it"
            )


def load_import(
    folder: Path, stages: Sequence[type[StageFields]] = ()
) -> Import:
    """Opens the folder of an import; see `open_trained`."""
    check_floatx()
    try:
        sealed_folder.verify(folder, growing=True)
        arrays = load_file(folder / WEIGHTS)
    except (sealed_folder.DamagedError, SafetensorError) as error:
        raise BadDataError(f"{error}; the import is not used") from error
    except OSError as error:
        raise InputMissingError(
            f"{folder}: cannot be read: {error.strerror}"
        ) from error
    record = read_import(folder)
    spec = load_spec(folder / "spec.yaml", stages=stages)
    if recipe_digest(spec) != record.recipe:
        raise BadDataError(f"{folder}: spec.yaml is not that of {IMPORT}")
    opened = Import(
        folder,
        spec,
        record,
        arrays,
        statistics="moving averages, as imported",
    )
    opened.check_types()
    return opened
