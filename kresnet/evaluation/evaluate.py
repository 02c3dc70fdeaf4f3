"""Measuring a run or an export, with the protocol beside every number."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from kresnet.data import Images
from kresnet.errors import KresnetError, SpecError
from kresnet.evaluation.view_logits import view_logits
from kresnet.evaluation.views import View
from kresnet.files import make_folder, refuse_empty_name
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.records.evaluation import (
    Evaluation,
    Protocol,
    Split,
    read_evaluation,
    write_evaluation,
)
from kresnet.trained import Trained, measures, open_trained

BatchNorm = Literal["moving-averages", "re-estimated"]
ONE = View()
RE_ESTIMATED = "--batch-norm re-estimated"


@dataclasses.dataclass(frozen=True)
class Choices:
    """What is measured of a network, as `evaluate` says.

    Raises a SpecError for a split or a choice of statistics that is none.
    """

    split: Split
    batch_norm: BatchNorm
    view: View

    def __post_init__(self):
        for name, value, allowed in (
            ("split", self.split, get_args(Split)),
            ("batch-norm", self.batch_norm, get_args(BatchNorm)),
        ):
            if value not in allowed:
                raise SpecError(
                    f"--{name}: must be one of {', '.join(allowed)}. Received:"
                    f" {value}"
                )

    @property
    def name(self) -> str:
        """Their part of the name of a file."""
        return f"{self.split}-{self.batch_norm}{self.view.name}"


@without_retracing_warnings()
def evaluate(
    run_or_export: Trained | str | os.PathLike[str],
    split: Split = "test",
    batch_norm: BatchNorm = "moving-averages",
    data_dir: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    checkpoint: int | None = None,
    view: View = ONE,
) -> Evaluation:
    """Evaluates a run or an export.

    The result is also written to `evaluation-<split>-<batch_norm>.json`; that
    of another view, or of another checkpoint than the last, has it in its
    name. An export is sealed: without `out` nothing is written.

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
        view: What is seen of each image. Where it is several views, their
            probabilities are averaged, and the loss is that of the average.

    Raises:
        SpecError: An unknown split, statistics or view, or an empty split;
            views that the images do not have; an export's statistics cannot
            be re-estimated, nor has it other views; `out` is another run.
        BadDataError: The data are not those of the run.
        CannotWriteError: The folder cannot be written; name another.
        KresnetError: As of `open_trained`.
    """
    choices = Choices(split, batch_norm, view)
    network = open_trained(run_or_export, checkpoint)
    path = result_path(network, choices, out)
    evaluation = measure(network, choices, data_dir)
    if path:
        write_evaluation(path, evaluation)
    return evaluation


def result_path(
    network: Trained, choices: Choices, out: str | os.PathLike[str] | None
) -> Path | None:
    """The file of an evaluation, its folder made now; `None` for nowhere."""
    choices.view.sides(network.spec)  # refuses a view that images do not have
    folder = network.results if out is None else made_folder(network, out)
    if folder is None:
        return None
    ending = "" if network.is_last else f"-{network.iteration}"
    path = folder / f"evaluation-{choices.name}{ending}.json"
    if out is not None:
        keep_other_result(path, [network], lambda: [read_evaluation(path)])
    return path


def keep_other_result(
    path: Path,
    networks: Sequence[Trained],
    read: Callable[[], Sequence[Evaluation | None]],
) -> None:
    """Raises a SpecError where a file has what was measured of others.

    Args:
        path: The file, which would be replaced.
        networks: What is to be measured now.
        read: Reads what was measured before; nothing keeps a damaged file.
    """
    try:
        before = [each for each in read() if each]
    except KresnetError:
        return
    own = [
        any(
            not network.identity.differences(each.identity)
            and network.kind == each.protocol.network
            for network in networks
        )
        for each in before
    ]
    if before and (len(before) != len(networks) or not all(own)):
        raise SpecError(
            f"--out: {path} has the result of "
            + ("another network" if len(before) == 1 else "other networks")
            + "; name another folder"
        )


def made_folder(network: Trained, out: str | os.PathLike[str]) -> Path:
    """The folder to write to, made now: not in an export, no other run's."""
    refuse_empty_name(out)
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
    make_folder(folder)
    return folder


def measure(
    network: Trained,
    choices: Choices,
    data_dir: str | os.PathLike[str] | None = None,
) -> Evaluation:
    """Evaluates a network and writes nothing; else as `evaluate`."""
    images = images_of(network, choices.split, data_dir)
    return tested(network, images, choices)[1]


def images_of(
    network: Trained, split: str, data_dir: str | os.PathLike[str] | None = None
) -> Images:
    """The images of a split of the data set that a network was trained on."""
    data = network.data(data_dir)
    if split == "test":
        return data.images("test")
    train, held_out = data.parts(network.spec.data.validation)
    images = train if split == "train" else held_out
    if len(images) == 0:
        raise SpecError("--split: the run held out no validation images")
    return images


def tested(
    network: Trained, images: Images, choices: Choices
) -> tuple[np.ndarray, Evaluation]:
    """A network's logits of images, as of `Trained.logits`, and its errors.

    Where there are several views of an image, the logits are the logarithms of
    the mean probabilities.
    """
    view = choices.view
    if choices.batch_norm == "re-estimated":
        run = network.with_layers(RE_ESTIMATED)
        train, _ = images.source.parts(network.spec.data.validation)
        network = run.re_estimated(train)
    if view == ONE:
        logits = network.logits(images)
    else:
        layered = network.with_layers(view.options)
        logits = view_logits(layered, images, view)
    protocol = Protocol(
        data=images.source.name,
        split=choices.split,
        images=len(images),
        view=view.kind,
        shorter_sides=view.sides(network.spec) or None,
        mirrored=view.mirrored,
        views=view.words(network.spec),
        batch_norm_statistics=network.statistics,
        network=network.kind,
        iteration=network.iteration,
        seed=network.identity.seed,
    )
    return logits, Evaluation(
        identity=network.identity,
        protocol=protocol,
        **measured(logits, images.labels, images.source.class_names),
    )


def check_usable(network: Trained, choices: Choices) -> None:
    """Raises, before any work, what `tested` would for a network itself."""
    if choices.batch_norm == "re-estimated":
        network.with_layers(RE_ESTIMATED)
    if choices.view != ONE:
        network.with_layers(choices.view.options)
    network.check_usable()


def measured(
    logits: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> dict[str, Any]:
    """The fields of `Measured`."""
    # scikit-learn's function takes 1.2 CPU-seconds to import.
    matrix = np.zeros([len(class_names)] * 2, "int64")
    np.add.at(matrix, (labels, logits.argmax(axis=1)), 1)
    return {
        "loss": measures.cross_entropy(logits, labels),
        "error": measures.error(logits, labels),
        "top5_error": measures.error(logits, labels, top=5),
        "class_error": {
            name: measures.error(logits[labels == i], labels[labels == i])
            for i, name in enumerate(class_names)
            if np.any(labels == i)
        },
        "confusion": matrix.tolist(),
        "class_names": tuple(class_names),
    }
