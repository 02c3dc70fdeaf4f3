"""Decoding of data sets that TensorFlow Datasets prepared.

The only module here that imports TensorFlow at its top.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from kresnet.errors import BadDataError

_BATCH = 500


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
    try:
        builder = tfds.builder_from_directory(folder)
    # It parses the description; what a damaged one raises can be anything.
    except Exception as error:
        raise BadDataError(f"{folder}: TFDS cannot read it: {error}") from error
    parts = []
    for index, (shard, length) in enumerate(shards.items()):
        try:
            dataset = builder.as_dataset(
                split=f"{split}[{index}shard]",
                batch_size=_BATCH,
                as_supervised=True,
            )
            batches = list(tfds.as_numpy(dataset))
        except tf.errors.OpError as error:
            _explain(folder / shard, length)
            raise BadDataError(f"{folder / shard}: {error.message}") from error
        count = sum(len(labels) for _, labels in batches)
        if count != length:
            raise _wrong_count(folder / shard, length, count)
        parts += batches
    images = np.concatenate([images for images, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    return images, labels.astype(np.int32)


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
