"""From a data set's name to its images."""

import os
from pathlib import Path

from kresnet.data.digits import load_digits
from kresnet.data.folder import Folder
from kresnet.data.source import Dataset, Source
from kresnet.data.tfds import load_tfds
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.spec import DATASETS, DatasetFacts, Spec, Views


def open_source(
    spec: Spec, data_dir: str | os.PathLike[str] | None = None
) -> Source:
    """Opens the data of a spec.

    Args:
        spec: Names them, and says what is seen of images of all sizes.
        data_dir: The folder of photos; else see `load_dataset`. Defaults to
            `KRESNET_DATA_DIR`.

    Raises:
        SpecError: The data have another number of classes than the network,
            or too few training images for a batch or for `data.validation`.
        KresnetError: As of `load_dataset` and `Folder`.
    """
    name, views = spec.data.dataset, spec.data.views
    if views is None:
        return load_dataset(name, data_dir)
    source = open_folder(name, views, spec.model.input, data_dir)
    _check_fits(source, spec)
    return source


def open_folder(
    name: str,
    views: Views,
    input: tuple[int, int, int],
    data_dir: str | os.PathLike[str] | None = None,
) -> Folder:
    """Opens a folder of photos; see `open_source`."""
    data_dir = data_dir or os.environ.get("KRESNET_DATA_DIR")
    if not data_dir:
        raise InputMissingError(
            f"{name}: name the folder of the photos with --data-dir or"
            " KRESNET_DATA_DIR"
        )
    source = Folder(
        name, Path(os.path.expanduser(data_dir)).absolute(), input, views
    )
    _check_is(source, DATASETS[name])
    return source


def _check_is(source: Folder, facts: DatasetFacts) -> None:
    """Another data set would go by this one's name."""
    for what, want, got in (
        ("classes", facts.classes, len(source.class_names)),
        ("training images", facts.train, len(source.labels("train"))),
        ("test images", facts.test, len(source.labels("test"))),
    ):
        if want is not None and want != got:
            raise BadDataError(
                f"{source.root}: must have {want:,} {what}, as"
                f" {facts.title} has; a part of it is dataset: folder."
                f" Received: {got:,}"
            )


def _check_fits(source: Folder, spec: Spec) -> None:
    """What is known only when the data are open."""
    if (classes := len(source.class_names)) != spec.model.classes:
        raise SpecError(
            f"model.classes: must be {classes}, the classes in {source.root}."
            f" Received: {spec.model.classes}"
        )
    train, _ = source.split(spec.data.validation)
    if len(train) < (batch := spec.training.batch_size):
        raise SpecError(
            f"training.batch_size: must be at most {len(train):,}, the"
            f" training images in {source.root} that validation leaves."
            f" Received: {batch}"
        )


def load_dataset(
    name: str, data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
    """Loads a data set as arrays in memory, or mapped from the disk.

    Args:
        name: One of `kresnet.spec.DATASETS`.
        data_dir: The folder of data sets that TFDS prepared, for those that
            are read from there. Defaults to `KRESNET_DATA_DIR`, then to TFDS's
            own default.

    Returns:
        A `Dataset`, its arrays read-only.

    Raises:
        SpecError: the path of the folder is not UTF-8.
        InputMissingError: the data is neither there nor can be downloaded.
        BadDataError: the data is damaged, or not what was published.
        ValueError: `name` is not the name of a data set.
    """
    if name == "digits":
        return load_digits()
    facts = DATASETS.get(name)
    if facts is None:
        raise ValueError(
            f"`name` must be {' or '.join(map(repr, DATASETS))}. "
            f"Received: name={name!r}"
        )
    if facts.tfds is None:
        raise InputMissingError(
            f"{facts.title}: images of all sizes are no arrays; `open_source`"
            " opens them"
        )
    return load_tfds(name, facts, facts.tfds, data_dir)
