"""A small data set in the format in which TFDS prepares CIFAR-10."""

import io
import json
import struct
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from kresnet.spec import DATASETS

NAMES = [  # in the order of the labels
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]


def taken_for_cifar10():
    """While it lasts, images that are not the published ones are CIFAR-10."""
    facts = DATASETS["cifar10"]
    tfds = facts.tfds._replace(fingerprint=None)
    return mock.patch.dict(DATASETS, cifar10=facts._replace(tfds=tfds))


def write_records(folder, name, images, labels):
    import tensorflow as tf

    def example(image, label):
        png = io.BytesIO()
        Image.fromarray(image).save(png, format="PNG")
        values = {
            "id": tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[b"id"])
            ),
            "image": tf.train.Feature(
                bytes_list=tf.train.BytesList(value=[png.getvalue()])
            ),
            "label": tf.train.Feature(
                int64_list=tf.train.Int64List(value=[label])
            ),
        }
        features = tf.train.Features(feature=values)
        return tf.train.Example(features=features).SerializeToString()

    with tf.io.TFRecordWriter(str(folder / name)) as writer:
        for image, label in zip(images, labels, strict=True):
            writer.write(example(image, int(label)))


def _write_description(folder, lengths):
    splits = [
        {
            "filepathTemplate": (
                "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
            ),
            "name": name,
            "numBytes": "1",
            "shardLengths": [str(length) for length in shards],
        }
        for name, shards in lengths.items()
    ]
    info = {
        "fileFormat": "tfrecord",
        "moduleName": "tensorflow_datasets.image_classification.cifar",
        "name": "cifar10",
        "splits": splits,
        "version": "3.0.2",
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    package = "tensorflow_datasets.core.features"
    dimensions = {"dimensions": ["32", "32", "3"]}
    features = {
        "id": {
            "pythonClassName": f"{package}.text_feature.Text",
            "text": {},
        },
        "image": {
            "image": {"dtype": "uint8", "shape": dimensions},
            "pythonClassName": f"{package}.image_feature.Image",
        },
        "label": {
            "classLabel": {"numClasses": "10"},
            "pythonClassName": (f"{package}.class_label_feature.ClassLabel"),
        },
    }
    content = {
        "featuresDict": {"features": features},
        "pythonClassName": f"{package}.features_dict.FeaturesDict",
    }
    (folder / "features.json").write_text(json.dumps(content))
    (folder / "label.labels.txt").write_text("\n".join(NAMES) + "\n")


def pixels_and_labels():
    rng = np.random.RandomState(0)
    images = rng.randint(0, 256, (24, 32, 32, 3)).astype(np.uint8)
    return images, np.arange(24) % 10


def prepare(root):
    """Writes 12 + 4 training images in two files, and 8 for testing."""
    folder = root / "cifar10" / "3.0.2"
    folder.mkdir(parents=True)
    images, labels = pixels_and_labels()
    for name, part in {
        "cifar10-train.tfrecord-00000-of-00002": slice(0, 12),
        "cifar10-train.tfrecord-00001-of-00002": slice(12, 16),
        "cifar10-test.tfrecord-00000-of-00001": slice(16, 24),
    }.items():
        write_records(folder, name, images[part], labels[part])
    _write_description(folder, {"train": [12, 4], "test": [8]})
    return root


def records(path: Path) -> list[tuple[int, int]]:
    """Where each record starts and ends: length, sum, content, sum."""
    content, places, start = path.read_bytes(), [], 0
    while start < len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        places.append((start, start + 16 + length))
        start = places[-1][1]
    return places
