"""Measuring a run or an export, with the protocol beside every number."""

import os
from pathlib import Path
from typing import Literal, cast

import numpy as np

from kresnet.data import Images, Source
from kresnet.errors import SpecError, write_error
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.records.evaluation import (
    Evaluation,
    Protocol,
    Split,
    write_evaluation,
)
from kresnet.trained import Trained, measures, open_trained

SPLITS = ("test", "validation", "train")
BATCH_NORMS = ("moving-averages", "re-estimated")


@without_retracing_warnings()
def evaluate(
    run_or_export: Trained | str | os.PathLike[str],
    split: Split = "test",
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
            training split, augmented as in training, as the paper's authors
            did (augmented or not, they do not say); of a run only.
        data_dir: Where prepared data sets are; see `load_dataset`.
        out: Folder to write to, not another run's. Defaults to the run's.
        checkpoint: Iteration of the run's checkpoint to use, where a folder is
            given; `None` for the newest.

    Raises:
        SpecError: An unknown split or statistics, or an empty split; an
            export's statistics cannot be re-estimated; `out` is another run.
        BadDataError: The data are not those of the run.
        CannotWriteError: The folder cannot be written; name another.
        KresnetError: As of `open_trained`.
    """
    network = open_trained(run_or_export, checkpoint)
    path = result_path(network, split, batch_norm, out)
    evaluation = measure(network, split, batch_norm, data_dir)
    if path:
        write_evaluation(path, evaluation)
    return evaluation


def result_path(
    network: Trained,
    split: str,
    batch_norm: str,
    out: str | os.PathLike[str] | None,
) -> Path | None:
    """The file of an evaluation, its folder made now; `None` for nowhere.

    Raises:
        SpecError: An unknown split or choice of statistics, or `out` is empty,
            inside an export, or another run.
        CannotWriteError: It cannot be made.
    """
    _check(split, batch_norm)
    folder = network.results if out is None else _made_folder(network, out)
    if folder is None:
        return None
    ending = "" if network.is_last else f"-{network.iteration}"
    return folder / f"evaluation-{split}-{batch_norm}{ending}.json"


def _made_folder(network: Trained, out: str | os.PathLike[str]) -> Path:
    if not os.fspath(out):
        raise SpecError('--out: must name a folder. Received: ""')
    folder, own = Path(out).resolve(), network.folder.resolve()
    if network.results is None and folder.is_relative_to(own):
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
    network: Trained,
    split: str,
    batch_norm: str,
    data_dir: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Evaluates a network and writes nothing; else as `evaluate`."""
    _check(split, batch_norm)
    run = None
    if batch_norm == "re-estimated":
        run = network.with_layers("--batch-norm re-estimated")
    data = network.data(data_dir)
    train, held_out = data.parts(network.spec.data.validation)
    images = _images(data, split, train, held_out)
    if run:
        network = run.re_estimated(train)
    return _measured(
        network.logits(images),
        images.labels,
        data.class_names,
        identity=network.identity,
        protocol=Protocol(
            data=data.name,
            split=cast(Split, split),
            images=len(images),
            views=_view(network),
            batch_norm_statistics=network.statistics,
            network=network.kind,
            iteration=network.iteration,
            seed=network.identity.seed,
        ),
    )


def _check(split: str, batch_norm: str) -> None:
    for name, value, allowed in (
        ("split", split, SPLITS),
        ("batch-norm", batch_norm, BATCH_NORMS),
    ):
        if value not in allowed:
            raise SpecError(
                f"--{name}: must be one of {', '.join(allowed)}. Received:"
                f" {value}"
            )


def _view(network: Trained) -> str:
    views, (height, width, _) = (
        network.spec.data.views,
        network.spec.model.input,
    )
    if views is None:
        return "one whole image, not augmented"
    side = views.test.shorter_side
    return f"one crop in the centre, {width}×{height} at shorter side {side}"


def _images(data: Source, split, train, held_out) -> Images:
    if split == "test":
        return data.images("test")
    images = train if split == "train" else held_out
    if len(images) == 0:
        raise SpecError("--split: the run held out no validation images")
    return images


def _measured(logits, labels, class_names, **facts) -> Evaluation:
    # scikit-learn's function takes 1.2 CPU-seconds to import.
    matrix = np.zeros([len(class_names)] * 2, "int64")
    np.add.at(matrix, (labels, logits.argmax(axis=1)), 1)
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
