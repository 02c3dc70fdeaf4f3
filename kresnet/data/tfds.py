"""Decoding of data sets that TensorFlow Datasets prepared.

The only module here that imports TensorFlow at its top.
"""

import logging
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from kresnet.errors import BadDataError

_BATCH = 500

# TFDS warns of its own deprecated attributes, four times a data set.
logging.getLogger("absl").setLevel(logging.ERROR)


def read_split(
    folder: Path, split: str, shards: dict[str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Decodes one split, in the order of its records.

    Args:
        folder: Folder of the prepared data set's version.
        split: Name of the split.
        shards: The records that each file of the split must hold, in order.

    Returns:
        Images, uint8 `(N, H, W, C)`, and labels, int32 `(N,)`.

    Raises:
        BadDataError: a file is damaged or holds another number of records.
    """
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


def _open(folder: Path, split: str) -> tf.data.Dataset:
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
