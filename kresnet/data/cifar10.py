"""CIFAR-10 as TensorFlow Datasets prepares it: found, or downloaded.

TensorFlow is imported only where there is no cache of it.
"""

import contextlib
import hashlib
import json
import os
import shlex
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from kresnet.data.cache import cached
from kresnet.data.source import Dataset, make_dataset
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.files import read_json
from kresnet.machine.start_keras import quiet_import
from kresnet.notices import notify
from kresnet.printable import is_utf8
from kresnet.spec import DATASETS

VERSION = "3.0.2"
_SOURCE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
FACTS = DATASETS["cifar10"]
_DESCRIPTION = ("dataset_info.json", "features.json", "label.labels.txt")


def load_cifar10(data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Loads CIFAR-10: 50,000 training and 10,000 test images of ten classes.

    The data set as TFDS prepared it is looked for in `data_dir`, and
    downloaded to there if it is missing. The decoded arrays are cached under
    a key made of the *contents* of the prepared files. Hashing their 141 MB
    takes 0.1 to 0.3 CPU-seconds; in return, no changed or damaged file ever
    hides behind a cache, and copies of the data share one. With the cache in
    place neither TensorFlow nor TFDS is imported.

    Args:
        data_dir: Folder that holds, or will hold, `cifar10/3.0.2`. Defaults to
            the environment's `KRESNET_DATA_DIR`, then to TFDS's own default.

    Returns:
        A `Dataset` with pixels uint8 of shape `(N, 32, 32, 3)`, RGB.

    Raises:
        SpecError: the path of the folder is not UTF-8.
        InputMissingError: not prepared, and cannot be downloaded.
        BadDataError: a file is damaged, or counts or labels are not those of
            the data set's own description.
    """
    root = _data_dir(data_dir)
    if not is_utf8(root):
        raise SpecError(
            f"--data-dir: must be a path of UTF-8 text, since TFDS takes no"
            f" other; a link to it will do. Received: {root}"
        )
    folder = root / "cifar10" / VERSION
    if not os.path.isfile(folder / "dataset_info.json"):
        download(f"cifar10:{VERSION}", _SOURCE, root)
    try:
        splits = _read_splits(folder)
        _check_class_names(folder / "label.labels.txt")
        key = _hash_files(folder, splits)
    except FileNotFoundError as error:
        raise BadDataError(
            f"{error.filename}: missing, though the data set's description "
            "is there"
        ) from error
    except OSError as error:
        raise InputMissingError(f"{folder}: cannot be read: {error}") from error

    def decode() -> Dataset:
        notify(f"decoding {FACTS.title}, which is done once")
        with quiet_import():
            from kresnet.data.tfds import read_split

        arrays = {}
        for split in ("train", "test"):
            images, labels = read_split(folder, split, splits[split])
            _check_shape(folder, split, images)
            _check_labels(folder, split, labels)
            arrays[f"{split}_images"] = images
            arrays[f"{split}_labels"] = labels
        return make_dataset("cifar10", FACTS.class_names, arrays)

    return cached("cifar10", key, decode)


def _data_dir(data_dir: str | os.PathLike[str] | None) -> Path:
    if data_dir is None:
        # The last two are TFDS's default, read without importing it.
        data_dir = (
            os.environ.get("KRESNET_DATA_DIR")
            or os.environ.get("TFDS_DATA_DIR")
            or os.path.join("~", "tensorflow_datasets")
        )
    return Path(os.path.expanduser(data_dir)).absolute()


def _read_splits(folder: Path) -> dict[str, dict[str, int]]:
    """Per split, the records each of its files must hold."""
    try:
        info = read_json(folder / "dataset_info.json")
        ending = info["fileFormat"]
        splits = {}
        for split in info["splits"]:
            lengths = [int(length) for length in split["shardLengths"]]
            stem = f"cifar10-{split['name']}.{ending}"
            splits[split["name"]] = {
                f"{stem}-{index:05d}-of-{len(lengths):05d}": length
                for index, length in enumerate(lengths)
            }
        return {name: splits[name] for name in ("train", "test")}
    except (ArithmeticError, ValueError, KeyError, TypeError) as error:
        raise BadDataError(
            f"{folder / 'dataset_info.json'}: is damaged: {error!r}"
        ) from error


def _hash_files(folder: Path, splits: dict[str, dict[str, int]]) -> str:
    digest = hashlib.sha256(VERSION.encode())
    records = [name for files in splits.values() for name in files]
    for name in [*_DESCRIPTION, *records]:
        with (folder / name).open("rb") as file:
            digest.update(name.encode())
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _check_class_names(path: Path) -> None:
    # A damaged name would otherwise be believed.
    found = path.read_bytes().decode("utf-8", "replace").split()
    if found != list(FACTS.class_names):
        raise BadDataError(
            f"{path}: must be {', '.join(FACTS.class_names)}. "
            f"Received: {', '.join(map(ascii, found[:20]))}"
        )


def _check_shape(folder: Path, split: str, images: np.ndarray) -> None:
    # TFDS believes its description, also where the images are others.
    if images.shape[1:] != FACTS.input:
        raise BadDataError(
            f"{folder}: images of split {split} must be {FACTS.input}, also in "
            f"features.json. Received: {images.shape[1:]}"
        )


def _check_labels(folder: Path, split: str, labels: np.ndarray) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= FACTS.classes))
    if wrong.size:
        raise BadDataError(
            f"{folder}: label of record {wrong[0]} of split {split} must be "
            f"from 0 to {FACTS.classes - 1}. Received: {labels[wrong[0]]}"
        )


_TIMEOUT = 10  # seconds


def download(name: str, source: str, data_dir: Path) -> None:
    """Downloads and prepares a data set below `data_dir`.

    Args:
        name: Name and version as TFDS writes them: `"cifar10:3.0.2"`.
        source: URL from which TFDS takes it.
        data_dir: Folder of TFDS data sets.

    Raises:
        InputMissingError: it cannot be downloaded, or not written there.
        BadDataError: what was downloaded is not what was published.
    """
    notify(f"downloading {name} to {data_dir}")
    try:
        _check_reachable(source)
    except OSError as error:
        raise _missing(name, data_dir, error) from error
    with quiet_import():
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.download import download_manager

    try:
        tfds.builder(name, data_dir=data_dir).download_and_prepare()
    except download_manager.NonMatchingChecksumError as error:
        raise BadDataError(f"{name}: {error}") from error
    # Whatever keeps TFDS from preparing it, the way out is the same.
    except Exception as error:
        raise _missing(name, data_dir, error) from error


def _check_reachable(source: str) -> None:
    # Without a network TFDS retries for minutes before it gives up. The
    # addresses are this module's own.
    request = urllib.request.Request(source, method="HEAD")  # noqa: S310
    # An HTTP error is an answer: TFDS reports what is wrong with it.
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=_TIMEOUT).close()  # noqa: S310


def _missing(name: str, data_dir: Path, why: Exception) -> InputMissingError:
    folder = data_dir / name.replace(":", "/")
    # An error of urllib wraps the socket's own, which reads better.
    reason = " ".join(str(getattr(why, "reason", why)).split()) or repr(why)
    # Not `tfds build`: that imports Apache Beam, which TFDS does not install.
    program = (
        f"import tensorflow_datasets as tfds; tfds.builder({json.dumps(name)}, "
        f"data_dir={json.dumps(str(data_dir))}).download_and_prepare()"
    )
    return InputMissingError(
        f"{folder}: no prepared data set {name}, and it cannot be downloaded: "
        f"{reason}. Name the folder that holds it with --data-dir or "
        "KRESNET_DATA_DIR, or prepare it on a machine with a network by",
        f"  python -c {shlex.quote(program)}",
    )
