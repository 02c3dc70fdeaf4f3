"""An import, opened for use: weights of another program in a spec's network."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
from safetensors import SafetensorError
from safetensors.numpy import load_file

from kresnet import sealed_folder
from kresnet.architecture import StageFields
from kresnet.errors import BadDataError, SpecError, read_error
from kresnet.machine.surroundings import check_floatx
from kresnet.records.imported import IMPORT, WEIGHTS, ImportRecord, read_import
from kresnet.spec import load_spec, recipe_digest
from kresnet.trained.layered import Layered


@dataclasses.dataclass(frozen=True, kw_only=True)
class Import(Layered):
    """An import whose files are those that were written.

    Attributes:
        record: What import.json says.
    """

    record: ImportRecord

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
        raise read_error(folder, error) from error
    record = read_import(folder)
    spec = load_spec(folder / "spec.yaml", stages=stages)
    if recipe_digest(spec) != record.recipe:
        raise BadDataError(f"{folder}: spec.yaml is not that of {IMPORT}")
    # Where only the data have names they are numbers.
    numbers = (f"class {i}" for i in range(spec.model.classes))
    names = " and ".join(file.name for file in record.files)
    return Import(
        folder=folder,
        spec=spec,
        identity=record.identity(spec),
        iteration=0,
        class_names=spec.data.facts.class_names or tuple(numbers),
        statistics="moving averages, as imported",
        kind=f"import of {names}",
        weights=arrays,
        lacks=record.drawn,
        record=record,
    )
