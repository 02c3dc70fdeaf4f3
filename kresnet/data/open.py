"""From a data set's name to its images."""

import os

from kresnet.data.cifar10 import load_cifar10
from kresnet.data.digits import load_digits
from kresnet.data.source import Dataset


def load_dataset(
    name: str, data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
    """Loads a data set as arrays in memory, or mapped from the disk.

    Args:
        name: `"cifar10"` or `"digits"`.
        data_dir: Folder of prepared TFDS data sets, for `"cifar10"`. Defaults
            to `KRESNET_DATA_DIR`, then to TFDS's own default.

    Returns:
        A `Dataset`, its arrays read-only.

    Raises:
        InputMissingError: the data is neither there nor can be downloaded.
        BadDataError: the data is damaged or not what it says it is.
        ValueError: `name` is not the name of a data set.
    """
    if name == "cifar10":
        return load_cifar10(data_dir)
    if name == "digits":
        return load_digits()
    raise ValueError(
        f"`name` must be 'cifar10' or 'digits'. Received: name={name!r}"
    )
