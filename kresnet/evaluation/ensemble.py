"""Several networks as one: the mean of their probabilities."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kresnet.data import Images
from kresnet.errors import SpecError
from kresnet.evaluation.evaluate import (
    ONE,
    BatchNorm,
    Choices,
    check_usable,
    images_of,
    keep_other_result,
    made_folder,
    measured,
    tested,
)
from kresnet.evaluation.view_logits import log_mean
from kresnet.evaluation.views import View
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.records.evaluation import (
    EnsembleEvaluation,
    Member,
    Split,
    read_ensemble,
    write_evaluation,
)
from kresnet.trained import Trained, open_trained, softmax


@without_retracing_warnings()
def evaluate_ensemble(
    networks: Sequence[Trained | str | os.PathLike[str]],
    split: Split = "test",
    batch_norm: BatchNorm = "moving-averages",
    data_dir: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    view: View = ONE,
) -> EnsembleEvaluation:
    """Evaluates the mean of the probabilities of several networks.

    With `out` the result is also written there, to
    `ensemble-<split>-<batch_norm>.json`; that of another view has it in its
    name.

    Args:
        networks: Runs, imports and exports, or folders of them, at least one.
        split: As of `evaluate`, and so are all below but `out`.
        batch_norm: Of each member by itself.
        data_dir: Where prepared data sets are.
        out: Folder to write to; `None` to write nothing.
        view: What each member sees of an image.

    Raises:
        SpecError: No network, or one twice; they are not of the same images
            and classes. Else as of `evaluate`.
        KresnetError: As of `evaluate`, of any of them.

    Reference:
        He et al. 2015, section 4.1: six models of different depth.
    """
    choices = Choices(split, batch_norm, view)
    opened = open_members(networks)
    path = ensemble_path(opened, choices, out)
    found = measure_ensemble(opened, choices, data_dir)
    if path:
        write_evaluation(path, found)
    return found


def open_members(
    networks: Sequence[Trained | str | os.PathLike[str]],
) -> list[Trained]:
    """Opens the members of an ensemble; errors as of `evaluate_ensemble`."""
    opened = [open_trained(network) for network in networks]
    if not opened:
        raise SpecError("--ensemble: needs at least one network")
    folders = [network.folder.resolve() for network in opened]
    for network, folder in zip(opened, folders, strict=True):
        if folders.count(folder) > 1:
            raise SpecError(
                "--ensemble: must have different members. Received:"
                f" {network.folder} twice"
            )
    return opened


def ensemble_path(
    members: Sequence[Trained],
    choices: Choices,
    out: str | os.PathLike[str] | None,
) -> Path | None:
    """The file of a result, its folder made now; `None` for nowhere."""
    for network in members:
        choices.view.sides(network.spec)
    if out is None:
        return None
    for network in members:
        folder = made_folder(network, out)
    path = folder / f"ensemble-{choices.name}.json"

    def read() -> Sequence[Member]:
        found = read_ensemble(path)
        return found.members if found else ()

    keep_other_result(path, members, read)
    return path


def measure_ensemble(
    members: Sequence[Trained],
    choices: Choices,
    data_dir: str | os.PathLike[str] | None = None,
) -> EnsembleEvaluation:
    """Evaluates an ensemble and writes nothing; else as the above."""
    for network in members:  # not after the others have taken their time
        check_usable(network, choices)
    images = [
        images_of(network, choices.split, data_dir) for network in members
    ]
    for network, own in zip(members[1:], images[1:], strict=True):
        _check_same(members[0], images[0], network, own)
    probabilities, found = [], []
    for network, own in zip(members, images, strict=True):
        logits, evaluation = tested(network, own, choices)
        found.append(Member(**dict(evaluation), name=network.spec.name))
        probabilities.append(softmax(logits))
    names = images[0].source.class_names
    return EnsembleEvaluation(
        members=tuple(found),
        **measured(log_mean(probabilities), images[0].labels, names),
    )


def _check_same(
    first: Trained, images: Images, other: Trained, own: Images
) -> None:
    """Raises a SpecError if two networks are not tested on the same images."""
    one, two = images.source, own.source
    if one.class_names != two.class_names:
        what = (
            f"classes: {first.folder} has {len(one.class_names)}, of {one.name}"
            f" ({one.class_names[0]} …), {other.folder} has"
            f" {len(two.class_names)}, of {two.name} ({two.class_names[0]} …)"
        )
    elif one.fingerprint != two.fingerprint:
        what = (
            f"data: {first.folder} is of {one.name}, {other.folder} is of"
            f" {two.name} with other images"
        )
    elif not np.array_equal(images.indices, own.indices):
        what = (
            f"images: {first.folder} holds out {first.spec.data.validation:,}"
            f" training images, {other.folder} {other.spec.data.validation:,}"
        )
    else:
        return
    raise SpecError(f"--ensemble: members must have the same {what}")
