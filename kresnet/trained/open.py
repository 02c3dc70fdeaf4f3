"""Opens what was trained: a run, or an export."""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from kresnet import sealed_folder
from kresnet.data import Dataset
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.records.identity import Identity
from kresnet.records.run import what_is_there
from kresnet.spec import DATASETS
from kresnet.trained.export import CONTENT_KEY, MODEL_FILES, load_exported
from kresnet.trained.run import Run, load_run, load_same_data


@dataclasses.dataclass(frozen=True)
class Export:
    """An export, verified and loaded.

    Attributes:
        folder: Its path.
        format: As of `kresnet export --format`.
        dataset: Name of the data set it was trained on.
        input: Height, width and channels of its images.
        class_names: In the order of the probabilities.
        iteration: Updates done.
        identity: The run's.
        validation: Training images that were held out.
        probabilities: From uint8 `(batch, height, width, channels)` to float
            `(batch, classes)`.
    """

    folder: Path
    format: str
    dataset: str
    input: tuple[int, int, int]
    class_names: tuple[str, ...]
    iteration: int
    identity: Identity
    validation: int
    probabilities: Callable[[np.ndarray], np.ndarray]

    def load_data(
        self, data_dir: str | os.PathLike[str] | None = None
    ) -> Dataset:
        """Loads the data set that it was trained on.

        Args:
            data_dir: Where prepared data sets are; see `load_dataset`.

        Raises:
            BadDataError: The data found are other ones.
        """
        return load_same_data(
            self.folder, self.dataset, self.identity, data_dir
        )

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.identity.seed


def open_run_or_export(
    path: str | os.PathLike[str], checkpoint: int | None = None
) -> Run | Export:
    """Opens a run folder or an export folder.

    An export is loaded only if every file is there, is what the manifest says
    and none was added. The manifest guards against damage and mix-ups; it is
    not a signature, so take exports, like programs, from people you trust.

    Args:
        path: The folder.
        checkpoint: See `load_run`; an export has none.

    Raises:
        SpecError: A file, or a folder that is neither; model files from
            elsewhere may hold programs and are never loaded. Or `checkpoint`
            is given for an export.
        BadDataError: An export that is damaged or not from kresnet, or a run
            whose checkpoint is damaged.
        InputMissingError: It is not there, a run has no such checkpoint, or
            the packages of the export's format are not installed.
    """
    path = Path(path)
    if not os.path.exists(path):  # which may be too long for a name
        raise InputMissingError(f"{path}: there is no such folder")
    if not path.is_dir():
        raise SpecError(
            f"{path}: must be the folder of a run or of an export. Model files "
            "may hold programs, so kresnet loads its own folders only"
        )
    # A run that lost its run.json is told so.
    if any((path / name).exists() for name in ("run.json", "spec.yaml")):
        return load_run(path, checkpoint)
    if (path / sealed_folder.MANIFEST).is_file():
        if checkpoint is not None:
            raise SpecError(
                f"--checkpoint: is of a run, and {path} is an export, which"
                " has the weights of one iteration"
            )
        return _export(path)
    if any((path / name).exists() for name in MODEL_FILES.values()):
        raise BadDataError(
            f"{path}: holds a model without kresnet's manifest: not exported "
            "by kresnet, or damaged; it is not loaded"
        )
    raise SpecError(
        f"{path}: neither the folder of a run nor of an export."
        f" {what_is_there(path)}"
    )


def _export(path: Path) -> Export:
    try:
        content = sealed_folder.verify(path)
    except sealed_folder.DamagedError as error:
        raise BadDataError(f"{error}; the export is not loaded") from error
    except OSError as error:
        raise InputMissingError(
            f"{path}: cannot be read: {error.strerror}"
        ) from error
    try:
        ours = (
            content[CONTENT_KEY] == 1
            and content["format"] in MODEL_FILES
            and content["dataset"] in DATASETS
        )
        facts = {
            "format": content["format"],
            "dataset": content["dataset"],
            "input": tuple(content["input"]),
            "class_names": tuple(content["classes"]),
            "iteration": content["iteration"],
            "identity": Identity.model_validate(content["identity"]),
            "validation": content["validation"],
        }
    except (KeyError, TypeError, ValueError):
        ours = False
    if not ours:
        raise BadDataError(f"{path}: not an export of this version of kresnet")
    try:
        with _plain_name(path) as plain:
            probabilities, _ = load_exported(plain, facts["format"])
    except ImportError as error:
        raise InputMissingError(
            f"{path}: needs {error.name}, not installed here: pip install "
            f"'kresnet[{facts['format']}]'"
        ) from error
    return Export(path, probabilities=probabilities, **facts)


@contextlib.contextmanager
def _plain_name(folder: Path) -> Iterator[Path]:
    """A link to a folder, under a name that TensorFlow understands.

    It takes brackets and backslashes in a path for a pattern, and no name that
    is not UTF-8.
    """
    with tempfile.TemporaryDirectory(prefix="kresnet-") as aside:
        link = Path(aside, "export")
        link.symlink_to(folder.absolute())
        yield link
