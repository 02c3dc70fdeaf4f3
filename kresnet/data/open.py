"""From a data set's name to its images."""

import os

from kresnet.data.digits import load_digits
from kresnet.data.source import Dataset
from kresnet.data.tfds import load_tfds
from kresnet.errors import InputMissingError
from kresnet.spec import DATASETS


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
            f"{facts.title} cannot be read: folders of images of all sizes are"
            " not supported yet"
        )
    return load_tfds(name, facts, facts.tfds, data_dir)
