"""Opening what predicts: a run folder or an export folder, nothing else."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kresnet import sealed_folder
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.exporting import (
    CONTENT_KEY,
    MODEL_FILES,
    load_exported,
    softmax,
)
from kresnet.measures import predict_logits
from kresnet.prediction.image_facts import IMAGE_FACTS, ImageFacts
from kresnet.training import load_run


@dataclasses.dataclass(frozen=True)
class OpenedNetwork:
    """A trained network, ready to use.

    Attributes:
        input: Height, width and channels of its images.
        facts: Of the data set it was trained on.
        class_names: In the order of the probabilities.
        probabilities: From uint8 `(batch, height, width, channels)` to float
            `(batch, classes)`.
    """

    input: tuple[int, int, int]
    facts: ImageFacts
    class_names: tuple[str, ...]
    probabilities: Callable[[np.ndarray], np.ndarray]


def open_network(path: str | os.PathLike[str]) -> OpenedNetwork:
    """Opens a run folder or an export folder.

    An export is loaded only if every file is there, is what the manifest says
    and none was added. The manifest guards against damage and mix-ups; it is
    not a signature, so take exports, like programs, from people you trust.

    Raises:
        SpecError: A file, or a folder that is neither; model files from
            elsewhere may hold programs and are never loaded.
        BadDataError: An export that is damaged or not from kresnet.
        InputMissingError: It is not there, a run has no checkpoint yet, or
            the packages of the export's format are not installed.
    """
    path = Path(path)
    if not path.exists():
        raise InputMissingError(f"{path}: there is no such folder")
    if not path.is_dir():
        raise SpecError(
            f"{path}: must be the folder of a run or of an export. Model files "
            "may hold programs, so kresnet loads its own folders only"
        )
    if (path / "run.json").is_file():
        return _run(path)
    if (path / sealed_folder.MANIFEST).is_file():
        return _export(path)
    if any((path / name).exists() for name in MODEL_FILES.values()):
        raise BadDataError(
            f"{path}: holds a model without kresnet's manifest: not exported "
            "by kresnet, or damaged; it is not loaded"
        )
    raise SpecError(f"{path}: neither the folder of a run nor of an export")


def _run(path):
    run = load_run(path)
    model = run.inference_model()
    facts = IMAGE_FACTS[run.spec.data.dataset]
    return OpenedNetwork(
        run.spec.model.input,
        facts,
        facts.class_names,
        lambda images: softmax(predict_logits(model, images)),
    )


def _export(path):
    try:
        content = sealed_folder.verify(path)
    except sealed_folder.DamagedError as error:
        raise BadDataError(f"{error}; the export is not loaded") from error
    except OSError as error:
        raise InputMissingError(
            f"{path}: cannot be read: {error.strerror}"
        ) from error
    try:
        ours = content[CONTENT_KEY] == 1
        format, shape = content["format"], tuple(content["input"])
        names, facts = content["classes"], IMAGE_FACTS[content["dataset"]]
        known = MODEL_FILES.keys() & {format}
    except (KeyError, TypeError):
        ours = known = False
    if not (ours and known):
        raise BadDataError(f"{path}: not an export of this version of kresnet")
    try:
        probabilities, _ = load_exported(path, format)
    except ImportError as error:
        raise InputMissingError(
            f"{path}: needs {error.name}, not installed here: pip install "
            f"'kresnet[{format}]'"
        ) from error
    return OpenedNetwork(shape, facts, tuple(names), probabilities)
