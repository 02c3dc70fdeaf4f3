"""Measuring a run or an export, with the protocol beside every number."""

import os
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.metrics import confusion_matrix

from kresnet.data import Dataset, split_train_validation
from kresnet.errors import SpecError, write_error
from kresnet.exporting import Export, open_run_or_export
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.records.evaluation import (
    Evaluation,
    Protocol,
    write_evaluation,
)
from kresnet.trained import measures
from kresnet.trained.statistics import re_estimate
from kresnet.training import Run

SPLITS = ("test", "validation", "train")
BATCH_NORMS = ("moving-averages", "re-estimated")
MOVING_AVERAGES = "moving averages of training"
# Images that an export is given at a time.
BATCH = 500
# Stands for a probability that was rounded to 0, which has no logarithm.
LEAST = float(np.finfo("float32").smallest_subnormal)


@without_retracing_warnings()
def evaluate(
    run_or_export: Run | Export | str | os.PathLike[str],
    split: Literal["test", "validation", "train"] = "test",
    batch_norm: Literal["moving-averages", "re-estimated"] = "moving-averages",
    data_dir: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    checkpoint: int | None = None,
) -> Evaluation:
    """Evaluates a run or an export on whole images.

    The result is also written to `evaluation-<split>-<batch_norm>.json`; that
    of another checkpoint than the last has its iteration in its name. An
    export is sealed: without `out` nothing is written.

    Args:
        run_or_export: A run, an export, or the folder of one.
        split: "test", "validation" (held out from training) or "train" (what
            was trained on, without augmentation).
        batch_norm: "moving-averages" of training, or "re-estimated" over the
            training split as the paper's authors did; of a run only.
        data_dir: Where prepared data sets are; see `load_dataset`.
        out: Folder to write to, not another run's. Defaults to the run's.
        checkpoint: Iteration of the run's checkpoint to use, where a folder is
            given; `None` for the newest.

    Raises:
        SpecError: An unknown split or statistics, or an empty split; an
            export's statistics cannot be re-estimated; `out` is another run.
        BadDataError: The data are not those of the run.
        CannotWriteError: The folder cannot be written; name another.
        KresnetError: As of `open_run_or_export`.
    """
    network = run_or_export
    if not isinstance(network, Run | Export):
        network = open_run_or_export(network, checkpoint)
    elif checkpoint is not None:
        raise ValueError("`checkpoint` goes with the folder of a run")
    path = result_path(network, split, batch_norm, out)
    evaluation = measure(network, split, batch_norm, data_dir)
    if path:
        write_evaluation(path, evaluation)
    return evaluation


def result_path(
    network: Run | Export,
    split: str,
    batch_norm: str,
    out: str | os.PathLike[str] | None,
) -> Path | None:
    """The file of an evaluation, its folder made now; `None` for nowhere.

    Raises:
        SpecError: `out` is empty, inside an export, or another run.
        CannotWriteError: It cannot be made.
    """
    folder = _folder(network, out)
    if folder is None:
        return None
    name = f"evaluation-{split}-{batch_norm}"
    if isinstance(network, Run):
        used = network.checkpoint.iteration
        if used != network.record.checkpoint:  # not the last
            name += f"-{used}"
    return folder / f"{name}.json"


def _folder(network, out) -> Path | None:
    if out is None:
        return network.folder if isinstance(network, Run) else None
    if not os.fspath(out):
        raise SpecError('--out: must name a folder. Received: ""')
    folder, own = Path(out).resolve(), network.folder.resolve()
    if isinstance(network, Export) and folder.is_relative_to(own):
        raise SpecError(
            f"--out: an export is sealed; name a folder outside it. Received:"
            f" {out}"
        )
    if folder != own and os.path.exists(folder / "run.json"):
        raise SpecError(
            "--out: must not be another run, whose evaluations are its own."
            f" Received: {out}"
        )
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    return folder


def measure(
    network: Run | Export,
    split: str,
    batch_norm: str,
    data_dir: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Evaluates a network and writes nothing; else as `evaluate`."""
    _check("split", split, SPLITS)
    _check("batch-norm", batch_norm, BATCH_NORMS)
    if isinstance(network, Export) and batch_norm == "re-estimated":
        raise SpecError(
            "--batch-norm: an export has the statistics it was exported with,"
            " and no layers to re-estimate them in; evaluate the run"
        )
    data = network.load_data(data_dir)
    train, held_out = split_train_validation(
        len(data.train_images), _validation(network)
    )
    images, labels = _images(data, split, train, held_out)
    if isinstance(network, Export):
        logits, protocol = _of_export(network, images)
    else:
        logits, protocol = _of_run(network, batch_norm, images, data, train)
    return _measured(
        logits,
        labels,
        data.class_names,
        identity=network.identity,
        protocol=Protocol(
            data=data.name,
            split=split,
            images=len(images),
            views="one whole image, not augmented",
            **protocol,
            seed=network.seed,
        ),
    )


def _check(name, value, allowed):
    if value not in allowed:
        raise SpecError(
            f"--{name}: must be one of {', '.join(allowed)}. Received: {value}"
        )


def _validation(network: Run | Export) -> int:
    """How many of the training images were held out."""
    if isinstance(network, Export):
        return network.validation
    return network.spec.data.validation


def _of_run(run: Run, batch_norm, images, data: Dataset, train):
    """Logits, and what the protocol says of the network."""
    if batch_norm == "re-estimated":
        model, used = re_estimate(run, data.train_images[train])
        statistics = (
            f"averages over {used:,} training images without augmentation, "
            "taken after training"
        )
    else:
        model = run.inference_model()
        statistics = MOVING_AVERAGES
    return measures.predict_logits(model, images), {
        "batch_norm_statistics": statistics,
        "iteration": run.checkpoint.iteration,
    }


def _of_export(export: Export, images):
    """Its logits but for a number an image, which changes no measure."""
    probabilities = np.concatenate(
        [
            export.probabilities(np.ascontiguousarray(images[i : i + BATCH]))
            for i in range(0, len(images), BATCH)
        ]
    ).astype("float64")
    return np.log(np.maximum(probabilities, LEAST)), {
        "batch_norm_statistics": MOVING_AVERAGES,
        "network": f"export, {export.format}",
        "iteration": export.iteration,
    }


def _images(data: Dataset, split, train, held_out):
    if split == "test":
        return data.test_images, data.test_labels
    indices = train if split == "train" else held_out
    if len(indices) == 0:
        raise SpecError("--split: the run held out no validation images")
    return data.train_images[indices], data.train_labels[indices]


def _measured(logits, labels, class_names, **facts) -> Evaluation:
    matrix = confusion_matrix(
        labels, logits.argmax(axis=1), labels=range(len(class_names))
    )
    return Evaluation(
        **facts,
        loss=measures.cross_entropy(logits, labels),
        error=measures.error(logits, labels),
        top5_error=measures.error(logits, labels, top=5),
        class_error={
            name: measures.error(logits[labels == i], labels[labels == i])
            for i, name in enumerate(class_names)
            if np.any(labels == i)
        },
        confusion=matrix.tolist(),
        class_names=class_names,
    )
