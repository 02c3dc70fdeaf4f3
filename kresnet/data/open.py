"""From a spec, or a data set's name, to its images."""

import os

from kresnet.data.digits import load_digits
from kresnet.data.folder import open_folder
from kresnet.data.source import Dataset, Source
from kresnet.data.tfds import load_tfds
from kresnet.errors import SpecError
from kresnet.spec import DATASETS, DatasetFacts, Spec


def open_source(
    spec: Spec, data_dir: str | os.PathLike[str] | None = None
) -> Source:
    """Opens the images of a spec.

    Args:
        spec: What is run.
        data_dir: The folder of the photos, or of data sets that TFDS prepared.
            Defaults to `KRESNET_DATA_DIR`, and for TFDS to its own default.

    Raises:
        SpecError: the spec does not suit the images, which is known only now.
        KresnetError: as of `load_dataset` and `kresnet.data.folder`.
    """
    data = spec.data
    source: Source
    if data.facts.photos:
        source = open_folder(data, spec.model.input, data_dir)
    else:
        source = _load(data.dataset, data.facts, data_dir)
    _check(spec, source)
    return source


def _check(spec: Spec, source: Source) -> None:
    """The checks of a spec for which its data must be there."""
    classes, name = len(source.class_names), source.name
    problems = []
    if tuple(spec.model.input) != tuple(source.input):
        problems.append(
            f"model.input: must be {list(source.input)}, the images of {name}."
            f" Received: {list(spec.model.input)}"
        )
    if spec.model.classes != classes:
        problems.append(
            f"model.classes: must be {classes:,}, the classes of {name} found"
            f" here. Received: {spec.model.classes:,}"
        )
    images = len(source.labels("train"))
    held_out, batch = spec.data.validation, spec.training.batch_size
    if held_out >= images:
        problems.append(
            f"data.validation: must be below {images:,}, the training images"
            f" of {name} found here. Received: {held_out:,}"
        )
    elif batch > images - held_out:
        problems.append(
            f"training.batch_size: must be at most {images - held_out:,}, the"
            f" training images of {name} found here that validation leaves."
            f" Received: {batch:,}"
        )
    if problems:
        raise SpecError(*problems)


def load_dataset(
    name: str, data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
    """Loads a data set as arrays in memory, or mapped from the disk.

    Args:
        name: One of `kresnet.spec.DATASETS` whose images have one size.
        data_dir: The folder of data sets that TFDS prepared, for those that
            are read from there. Defaults to `KRESNET_DATA_DIR`, then to TFDS's
            own default.

    Returns:
        A `Dataset`, its arrays read-only.

    Raises:
        SpecError: the path of the folder is not UTF-8.
        InputMissingError: the data is neither there nor can be downloaded.
        BadDataError: the data is damaged, or not what was published.
        ValueError: `name` is not the name of such a data set.
    """
    facts = DATASETS.get(name)
    if facts is None or facts.photos:
        known = [
            repr(name) for name, each in DATASETS.items() if not each.photos
        ]
        raise ValueError(
            f"`name` must be {' or '.join(known)}. Received: name={name!r}"
        )
    return _load(name, facts, data_dir)


def _load(
    name: str, facts: DatasetFacts, data_dir: str | os.PathLike[str] | None
) -> Dataset:
    if facts.tfds is None:
        return load_digits()
    return load_tfds(name, facts, facts.tfds, data_dir)
