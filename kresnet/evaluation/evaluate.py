"""Measuring a trained run, with the protocol beside every number."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.metrics import confusion_matrix

from kresnet import measures
from kresnet.atomic_file import replace_file
from kresnet.data import Dataset, split_train_validation
from kresnet.errors import SpecError, write_error
from kresnet.evaluation.re_estimation import re_estimate
from kresnet.training import Run, load_run

SPLITS = ("test", "validation", "train")
BATCH_NORMS = ("moving-averages", "re-estimated")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was measured, and how.

    Attributes:
        protocol: Data set, split, images, iteration, statistics, in words.
        loss: Mean cross-entropy in nats.
        error: Top-1 error, percent.
        top5_error: Top-5 error, percent.
        class_error: Error among the images of each class, percent, by name.
        confusion: Counts, `confusion[true][predicted]`.
        class_names: All of them, in the order of the labels, also those of
            which the split has no image.
    """

    protocol: dict[str, str | int]
    loss: float
    error: float
    top5_error: float
    class_error: dict[str, float]
    confusion: list[list[int]]
    class_names: list[str]


def evaluate(
    run: Run | str | os.PathLike[str],
    split: Literal["test", "validation", "train"] = "test",
    batch_norm: Literal["moving-averages", "re-estimated"] = "moving-averages",
    data_dir: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Evaluates the newest checkpoint of a run on single, whole images.

    The result is also written to `evaluation-<split>-<batch_norm>.json`.

    Args:
        run: A run or its folder.
        split: "test", "validation" (held out from training) or "train" (what
            was trained on, without augmentation).
        batch_norm: "moving-averages" of training, or "re-estimated" over the
            training split as the paper's authors did.
        data_dir: Where prepared data sets are; see `load_dataset`.
        out: Folder to write to. Defaults to the run's.

    Raises:
        SpecError: An unknown split or statistics, or an empty split.
        BadDataError: The data are not those of the run.
        CannotWriteError: The folder cannot be written; name another.
    """
    _check("split", split, SPLITS)
    _check("batch-norm", batch_norm, BATCH_NORMS)
    if not isinstance(run, Run):
        run = load_run(run)
    data = run.load_data(data_dir)
    train, held_out = split_train_validation(
        len(data.train_images), run.spec.data.validation
    )
    images, labels = _images(data, split, train, held_out)
    if batch_norm == "re-estimated":
        model, used = re_estimate(run, data.train_images[train])
        statistics = (
            f"averages over {used:,} training images without augmentation, "
            "taken after training"
        )
    else:
        model = run.inference_model()
        statistics = "moving averages of training"
    logits = measures.predict_logits(model, images)
    evaluation = _measured(
        logits,
        labels,
        data.class_names,
        {
            "data": data.name,
            "split": split,
            "images": len(images),
            "views": "one whole image, not augmented",
            "batch_norm_statistics": statistics,
            "iteration": run.checkpoint.iteration,
            "seed": run.seed,
        },
    )
    folder = Path(out) if out else run.folder
    _write(folder / f"{result_name(split, batch_norm)}.json", evaluation)
    return evaluation


def result_name(split: str, batch_norm: str) -> str:
    """Name, without ending, of the files of one evaluation."""
    return f"evaluation-{split}-{batch_norm}"


def _check(name, value, allowed):
    if value not in allowed:
        raise SpecError(
            f"--{name}: must be one of {', '.join(allowed)}. Received: {value}"
        )


def _images(data: Dataset, split, train, held_out):
    if split == "test":
        return data.test_images, data.test_labels
    indices = train if split == "train" else held_out
    if len(indices) == 0:
        raise SpecError("--split: the run held out no validation images")
    return data.train_images[indices], data.train_labels[indices]


def _measured(logits, labels, class_names, protocol) -> Evaluation:
    matrix = confusion_matrix(
        labels, logits.argmax(axis=1), labels=range(len(class_names))
    )
    return Evaluation(
        protocol=protocol,
        loss=measures.cross_entropy(logits, labels),
        error=measures.error(logits, labels),
        top5_error=measures.error(logits, labels, top=5),
        class_error={
            name: measures.error(logits[labels == i], labels[labels == i])
            for i, name in enumerate(class_names)
            if np.any(labels == i)
        },
        confusion=matrix.tolist(),
        class_names=list(class_names),
    )


def _write(path: Path, evaluation: Evaluation) -> None:
    text = json.dumps(dataclasses.asdict(evaluation), indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text + "\n")
    except OSError as error:
        raise write_error(path, error) from error
