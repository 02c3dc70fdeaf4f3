"""Data sets as TensorFlow Datasets (TFDS) prepares them, or downloads them.

TensorFlow is imported only where there is no cache of the images.
"""

import contextlib
import hashlib
import json
import logging
import os
import shlex
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kresnet.data.cache import cached
from kresnet.data.source import Dataset, make_dataset
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.files import read_json
from kresnet.machine.start_keras import quiet_import
from kresnet.notices import notify
from kresnet.printable import is_utf8
from kresnet.spec import DatasetFacts, TfdsFacts

if TYPE_CHECKING:
    import tensorflow as tf

_DESCRIPTION = ("dataset_info.json", "features.json", "label.labels.txt")
_TIMEOUT = 10  # seconds, for the site that a data set is downloaded from
_BATCH = 500  # images decoded at a time

# The records that each file of a split must hold, by its name, in order.
Shards = Mapping[str, int]


def load_tfds(
    name: str,
    facts: DatasetFacts,
    tfds: TfdsFacts,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Loads a data set of TFDS, its splits called train and test.

    Arguments, result and errors are those of `load_dataset`. The data set is
    downloaded if it is missing. The decoded arrays are cached under a key made
    of the *contents* of the prepared files. Hashing the 141 MB of CIFAR-10
    takes 0.1 to 0.3 CPU-seconds; in return, no changed or damaged file ever
    hides behind a cache, and copies of the data share one. With the cache in
    place neither TensorFlow nor TFDS is imported.
    """
    root = _data_dir(data_dir)
    if not is_utf8(root):
        raise SpecError(
            f"--data-dir: must be a path of UTF-8 text, since TFDS takes no"
            f" other; a link to it will do. Received: {root}"
        )
    folder = root / tfds.name / tfds.version
    if not os.path.isfile(folder / "dataset_info.json"):
        if tfds.source is None:
            raise _missing(
                f"{tfds.name}:{tfds.version}",
                root,
                "kresnet downloads CIFAR-10 alone",
            )
        _download(tfds, root, tfds.source)
    try:
        splits = _read_splits(folder, tfds)
        names = _class_names(folder / "label.labels.txt", facts)
        _refuse_code(folder / "features.json")
        key = _hash_files(folder, tfds.version, splits)
    except FileNotFoundError as error:
        raise BadDataError(
            f"{error.filename}: missing, though the data set's description "
            "is there"
        ) from error
    except OSError as error:
        raise InputMissingError(f"{folder}: cannot be read: {error}") from error

    def decode() -> Dataset:
        notify(f"decoding {facts.title}, which is done once")
        arrays = {}
        for split, shards in splits.items():
            images, labels = _read_split(folder, split, shards)
            _check_split(folder, split, images, labels, facts, len(names))
            arrays[f"{split}_images"] = images
            arrays[f"{split}_labels"] = labels
        return make_dataset(name, names, arrays)

    # A set may have two names, which are part of what is cached.
    label = name.replace(":", "-").replace("/", "-")
    dataset = cached(label, key, decode)
    if tfds.fingerprint not in (None, dataset.fingerprint):
        raise BadDataError(
            f"{folder}: is not {facts.title} as it was published, whose images"
            f" and labels have the SHA-256 sum {tfds.fingerprint}. Received:"
            f" {dataset.fingerprint}"
        )
    return dataset


def _data_dir(data_dir: str | os.PathLike[str] | None) -> Path:
    if data_dir is None:
        # The last two are TFDS's default, read without importing it.
        data_dir = (
            os.environ.get("KRESNET_DATA_DIR")
            or os.environ.get("TFDS_DATA_DIR")
            or os.path.join("~", "tensorflow_datasets")
        )
    return Path(os.path.expanduser(data_dir)).absolute()


def _read_splits(folder: Path, tfds: TfdsFacts) -> dict[str, Shards]:
    try:
        info = read_json(folder / "dataset_info.json")
        name, version = info["name"], info["version"]
        if (name, version) != (tfds.name, tfds.version):
            raise BadDataError(
                f"{folder}: must be {tfds.name}:{tfds.version}. Received:"
                f" {name}:{version}, as dataset_info.json says"
            )
        ending = info["fileFormat"]
        splits = {}
        for split in info["splits"]:
            lengths = [int(length) for length in split["shardLengths"]]
            stem = f"{name}-{split['name']}.{ending}"
            splits[split["name"]] = {
                f"{stem}-{index:05d}-of-{len(lengths):05d}": length
                for index, length in enumerate(lengths)
            }
        return {name: splits[name] for name in ("train", "test")}
    except (ArithmeticError, ValueError, KeyError, TypeError) as error:
        raise BadDataError(
            f"{folder / 'dataset_info.json'}: is damaged: {error!r}"
        ) from error


def _hash_files(folder: Path, version: str, splits: dict[str, Shards]) -> str:
    digest = hashlib.sha256(version.encode())
    records = [name for files in splits.values() for name in files]
    for name in [*_DESCRIPTION, *records]:
        with (folder / name).open("rb") as file:
            digest.update(name.encode())
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _class_names(path: Path, facts: DatasetFacts) -> tuple[str, ...]:
    """The names that are known, or those of the file."""
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    found = tuple(line.strip() for line in lines if line.strip())
    # A damaged name would otherwise be believed.
    if facts.class_names and found != facts.class_names:
        raise BadDataError(
            f"{path}: must be {', '.join(facts.class_names)}. "
            f"Received: {', '.join(map(ascii, found[:20]))}"
        )
    if facts.classes not in (None, len(found)):
        raise BadDataError(
            f"{path}: must have {facts.classes} names. Received: {len(found)}"
        )
    if not found:
        raise BadDataError(f"{path}: has no names of classes")
    return found


def _refuse_code(path: Path) -> None:
    """TFDS imports the modules that a description names."""
    try:
        features = read_json(path)
    except ValueError as error:
        raise BadDataError(f"{path}: is damaged: {error}") from error
    pending = [features]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending += part.values()
            name = part.get("pythonClassName", "tensorflow_datasets.")
            if not str(name).startswith("tensorflow_datasets."):
                raise BadDataError(
                    f"{path}: names code that is not of TFDS: {name}; it is not"
                    " loaded"
                )
        elif isinstance(part, list):
            pending += part


def _check_split(
    folder: Path,
    split: str,
    images: np.ndarray,
    labels: np.ndarray,
    facts: DatasetFacts,
    classes: int,
) -> None:
    # TFDS believes its description, also where the images are others.
    if facts.input is None and images.dtype != np.uint8:
        raise BadDataError(
            f"{folder}: images of split {split} must be of bytes. Received:"
            f" {images.dtype}"
        )
    if facts.input is not None and images.shape[1:] != facts.input:
        raise BadDataError(
            f"{folder}: images of split {split} must be {facts.input}, also in "
            f"features.json. Received: {images.shape[1:]}"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise BadDataError(
            f"{folder}: label of record {wrong[0]} of split {split} must be "
            f"from 0 to {classes - 1}. Received: {labels[wrong[0]]}"
        )


def _read_split(
    folder: Path, split: str, shards: Shards
) -> tuple[np.ndarray, np.ndarray]:
    """Decodes a split: images, uint8 `(N, H, W, C)`; labels, int32 `(N,)`."""
    with quiet_import():
        import tensorflow as tf

    images, labels = [], []
    for index, (shard, length) in enumerate(shards.items()):
        dataset = _open(folder, f"{split}[{index}shard]")
        count = 0
        try:
            for batch in dataset.as_numpy_iterator():
                images.append(batch["image"])
                labels.append(batch["label"])
                count += len(batch["label"])
        except tf.errors.OpError as error:
            _explain(folder / shard, length)
            raise BadDataError(f"{folder / shard}: {error.message}") from error
        if count != length:
            raise _wrong_count(folder / shard, length, count)
    return np.concatenate(images), np.concatenate(labels).astype(np.int32)


def _open(folder: Path, split: str) -> "tf.data.Dataset":
    with quiet_import():
        import tensorflow_datasets as tfds

    # TFDS warns of its own deprecated attributes, four times a data set.
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        return tfds.builder_from_directory(folder).as_dataset(
            split=split,
            batch_size=_BATCH,
            decoders=tfds.decode.PartialDecoding(
                {"image": True, "label": True}
            ),
            # Read once, so a cache in memory would be filled for nothing.
            read_config=tfds.ReadConfig(try_autocache=False),
        )
    # It parses the description; what a damaged one raises can be anything.
    except Exception as error:
        raise BadDataError(f"{folder}: TFDS cannot read it: {error}") from error


def _explain(path: Path, length: int) -> None:
    """Raises what is wrong with the records of a file, if anything is."""
    import tensorflow as tf

    count = 0
    try:
        for _ in tf.data.TFRecordDataset(str(path)):
            count += 1
    except tf.errors.OpError as error:
        raise BadDataError(
            f"{path}: record {count} (counted from 0) is damaged"
        ) from error
    if count != length:
        raise _wrong_count(path, length, count)


def _wrong_count(path: Path, length: int, count: int) -> BadDataError:
    return BadDataError(
        f"{path}: must hold {length} records, as dataset_info.json says. "
        f"Received: {count}"
    )


def _download(facts: TfdsFacts, data_dir: Path, source: str) -> None:
    name = f"{facts.name}:{facts.version}"
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
    # addresses are those of the table of data sets.
    request = urllib.request.Request(source, method="HEAD")  # noqa: S310
    # An HTTP error is an answer: TFDS reports what is wrong with it.
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=_TIMEOUT).close()  # noqa: S310


def _missing(name: str, data_dir: Path, why: object) -> InputMissingError:
    folder = data_dir / name.replace(":", "/")
    # An error of urllib wraps the socket's own, which reads better.
    reason = " ".join(str(getattr(why, "reason", why)).split()) or repr(why)
    # Not `tfds build`: that imports Apache Beam, which TFDS does not install.
    program = (
        f"import tensorflow_datasets as tfds; tfds.builder({json.dumps(name)}, "
        f"data_dir={json.dumps(str(data_dir))}).download_and_prepare()"
    )
    found = _versions(folder.parent)
    there = f" Found there: {', '.join(found)}." if found else ""
    return InputMissingError(
        f"{folder}: no prepared data set {name}, and it cannot be downloaded: "
        f"{reason}.{there} Name the folder that holds it with --data-dir or "
        "KRESNET_DATA_DIR, or prepare it on a machine with a network by",
        f"  python -c {shlex.quote(program)}",
    )


def _versions(folder: Path) -> list[str]:
    """The versions of a data set that are prepared."""
    with contextlib.suppress(OSError):
        return sorted(
            each.name
            for each in folder.iterdir()
            if (each / "dataset_info.json").is_file()
        )
    return []
