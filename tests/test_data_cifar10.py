"""CIFAR-10 as TFDS prepared it: read, checked, and cached.

Damage is tried on a small data set in TFDS's format, so that it costs no
decoding of 60,000 images; facts about CIFAR-10 on the real one.
"""

import io
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from faults.small_cifar10 import (
    NAMES,
    pixels_and_labels,
    prepare,
    records,
    taken_for_cifar10,
    write_records,
)

from kresnet.data import load_dataset, open_source, tfds
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.spec import DATASETS, load_spec

CIFAR10 = DATASETS["cifar10"]
DATA_DIR = os.environ.get("KRESNET_DATA_DIR")
needs_cifar10 = pytest.mark.skipif(
    not DATA_DIR, reason="KRESNET_DATA_DIR does not name prepared data"
)


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("KRESNET_DATA_DIR", "TFDS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)

    def no_network(*_, **__):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    with taken_for_cifar10():
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A TFDS folder with 12 + 4 training images in two files, 8 for testing."""
    return prepare(tmp_path_factory.mktemp("tfds"))


@pytest.fixture
def copy(prepared, tmp_path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "copy"))


def _shard(root: Path) -> Path:
    return root / "cifar10/3.0.2/cifar10-train.tfrecord-00001-of-00002"


def test_images_and_labels_are_those_of_the_records_in_order(prepared):
    images, labels = pixels_and_labels()
    dataset = load_dataset("cifar10", prepared)
    np.testing.assert_array_equal(dataset.train_images, images[:16])
    np.testing.assert_array_equal(dataset.train_labels, labels[:16])
    np.testing.assert_array_equal(dataset.test_images, images[16:])
    np.testing.assert_array_equal(dataset.test_labels, labels[16:])
    assert dataset.class_names == tuple(NAMES)
    assert dataset.train_images.dtype == np.uint8
    assert dataset.test_labels.dtype == np.int32


@pytest.mark.parametrize("name", ["KRESNET_DATA_DIR", "TFDS_DATA_DIR"])
def test_the_folder_is_taken_from_the_environment(prepared, monkeypatch, name):
    monkeypatch.setenv(name, str(prepared))
    assert len(load_dataset("cifar10").train_images) == 16


def test_the_data_folder_may_be_read_only(copy):
    before = sorted(copy.rglob("*"))
    paths = [copy, *before]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        load_dataset("cifar10", copy)
        assert sorted(copy.rglob("*")) == before
    finally:
        for path in paths:
            path.chmod(0o755)


def test_a_file_cut_at_a_record_boundary_is_named_with_both_counts(copy):
    path = _shard(copy)
    os.truncate(path, records(path)[2][1])
    with pytest.raises(BadDataError) as caught:
        load_dataset("cifar10", copy)
    assert str(path) in str(caught.value)
    assert "must hold 4 records" in str(caught.value)
    assert "Received: 3" in str(caught.value)


def test_an_empty_file_is_named(copy):
    os.truncate(_shard(copy), 0)
    with pytest.raises(BadDataError, match=r"00001-of-00002.*Received: 0"):
        load_dataset("cifar10", copy)


@pytest.mark.parametrize("part", ["length", "first sum", "content", "last sum"])
def test_a_flipped_bit_is_found_and_its_record_named(copy, part):
    path = _shard(copy)
    start, end = records(path)[2]
    place = {
        "length": start,
        "first sum": start + 8,
        "content": (start + end) // 2,
        "last sum": end - 1,
    }[part]
    content = bytearray(path.read_bytes())
    content[place] ^= 16
    path.write_bytes(content)
    with pytest.raises(BadDataError, match=r"00001-of-00002: record 2 "):
        load_dataset("cifar10", copy)


def test_damage_is_found_when_the_sound_data_is_cached(copy):
    load_dataset("cifar10", copy)
    content = bytearray(_shard(copy).read_bytes())
    content[-30] ^= 1
    times = _shard(copy).stat()
    _shard(copy).write_bytes(content)
    os.utime(_shard(copy), ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(BadDataError, match="record 3 "):
        load_dataset("cifar10", copy)


def test_a_missing_file_is_named(copy):
    _shard(copy).unlink()
    with pytest.raises(BadDataError, match="00001-of-00002: missing"):
        load_dataset("cifar10", copy)


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_out_of_range_is_refused(copy, label):
    images, labels = pixels_and_labels()
    labels[13] = label
    write_records(
        _shard(copy).parent, _shard(copy).name, images[12:16], labels[12:16]
    )
    with pytest.raises(
        BadDataError, match=rf"record 13 of split train .*Received: {label}"
    ):
        load_dataset("cifar10", copy)


@pytest.mark.parametrize(
    "name", ["dataset_info.json", "features.json", "label.labels.txt"]
)
def test_a_cut_description_is_refused(copy, name):
    path = copy / "cifar10/3.0.2" / name
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(BadDataError, match=r"3\.0\.2"):
        load_dataset("cifar10", copy)


def test_a_damaged_size_of_the_images_is_refused(copy):
    path = copy / "cifar10/3.0.2/features.json"
    path.write_text(path.read_text().replace('"32"', '"36"', 1))
    with pytest.raises(BadDataError, match=r"\(36, 32, 3\)"):
        load_dataset("cifar10", copy)


@pytest.mark.parametrize(
    ("wrong", "said"), [(b"horsf", "'horsf'"), (b"h\xefrse", "'h\\ufffdrse'")]
)
def test_a_damaged_class_name_is_refused(copy, wrong, said):
    path = copy / "cifar10/3.0.2/label.labels.txt"
    path.write_bytes(path.read_bytes().replace(b"horse", wrong))
    with pytest.raises(BadDataError, match=r"must be airplane, ") as caught:
        load_dataset("cifar10", copy)
    assert said in str(caught.value)


def test_without_data_and_network_the_message_says_what_to_do(tmp_path):
    root = tmp_path / "my data"
    with pytest.raises(InputMissingError) as caught:
        load_dataset("cifar10", root)
    message = str(caught.value)
    assert f"{root}/cifar10/3.0.2" in message
    assert "no network in tests" in message
    assert "--data-dir" in message
    command = message.splitlines()[-1]
    assert command.split()[:2] == ["python", "-c"]
    assert f'tfds.builder("cifar10:3.0.2", data_dir="{root}")' in command
    assert not root.exists()


def test_a_download_that_is_not_the_published_file_is_bad_data(
    monkeypatch, tmp_path
):
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import download_manager

    def builder(*_, **__):
        raise download_manager.NonMatchingChecksumError("wrong checksum")

    monkeypatch.setattr(
        urllib.request, "urlopen", lambda *_, **__: io.BytesIO()
    )
    monkeypatch.setattr(tfds, "builder", builder)
    with pytest.raises(BadDataError, match="wrong checksum"):
        load_dataset("cifar10", tmp_path)


def test_a_warm_cache_needs_no_tensorflow(prepared):
    load_dataset("cifar10", prepared)
    program = """
import sys
sys.modules["tensorflow"] = sys.modules["tensorflow_datasets"] = None
from kresnet.data import load_dataset, open_source, tfds
from kresnet.spec import DATASETS, load_spec
cifar10 = DATASETS["cifar10"]
tfds = cifar10.tfds._replace(fingerprint=None)
DATASETS["cifar10"] = cifar10._replace(tfds=tfds)
dataset = load_dataset("cifar10", sys.argv[1])
print(dataset.fingerprint, "keras" in sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(prepared)],
        capture_output=True,
        text=True,
        check=True,
    )
    fingerprint = load_dataset("cifar10", prepared).fingerprint
    assert run.stdout.split() == [fingerprint, "False"]


def test_other_images_than_those_published_are_refused(prepared):
    """Also from a cache of them."""
    facts = load_dataset("cifar10", prepared)
    published = DATASETS["cifar10"].tfds._replace(fingerprint="a" * 64)
    with (
        mock.patch.dict(
            DATASETS, cifar10=DATASETS["cifar10"]._replace(tfds=published)
        ),
        pytest.raises(BadDataError, match="not CIFAR-10 as it was") as caught,
    ):
        load_dataset("cifar10", prepared)
    assert facts.fingerprint in str(caught.value)


def test_any_set_of_one_size_that_tfds_prepared_is_read(prepared):
    """Under a name of its own, with facts of its own."""
    facts = DATASETS["cifar10"]
    other = facts._replace(title="other images")
    with mock.patch.dict(DATASETS, other=other):
        dataset = load_dataset("other", prepared)
    cifar10 = load_dataset("cifar10", prepared)
    assert dataset.name == "other"
    np.testing.assert_array_equal(dataset.test_images, cifar10.test_images)
    assert dataset.fingerprint != cifar10.fingerprint


@needs_cifar10
def test_cifar10_is_the_published_data_set(monkeypatch):
    monkeypatch.setitem(DATASETS, "cifar10", CIFAR10)
    dataset = load_dataset("cifar10", DATA_DIR)
    assert dataset.class_names == tuple(NAMES)
    assert dataset.train_images.shape == (50_000, 32, 32, 3)
    assert dataset.test_images.shape == (10_000, 32, 32, 3)
    # "exactly 1000 randomly-selected images from each class" for testing, and
    # 5,000 for training (Krizhevsky 2009).
    assert np.bincount(dataset.train_labels).tolist() == [5_000] * 10
    assert np.bincount(dataset.test_labels).tolist() == [1_000] * 10
    means = dataset.train_images.mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)


GENERIC = [
    "data.dataset=tfds:cifar10/3.0.2",
    "data.validation=0",
    "training.batch_size=8",
    "model.batch_norm.images_per_statistic=8",
]


def test_any_prepared_data_set_is_read_by_its_name_and_version(prepared):
    images, labels = pixels_and_labels()
    source = open_source(load_spec("resnet20", GENERIC), prepared)

    np.testing.assert_array_equal(source.read("test", slice(None)), images[16:])
    np.testing.assert_array_equal(source.labels("train"), labels[:16])
    assert source.class_names == tuple(NAMES)
    spec = load_spec("resnet20", [*GENERIC, "model.classes=9"])
    with pytest.raises(SpecError, match=r"model\.classes: must be 10"):
        open_source(spec, prepared)


def test_a_named_data_set_is_never_downloaded(prepared, monkeypatch):
    monkeypatch.setattr(tfds, "_check_reachable", lambda source: 1 / 0)
    spec = load_spec(
        "resnet20", ["data.dataset=tfds:mnist/3.0.1", *GENERIC[1:]]
    )

    with pytest.raises(InputMissingError, match="no prepared data set mnist"):
        open_source(spec, prepared)


def test_a_description_that_names_other_code_is_not_loaded(copy):
    path = copy / "cifar10/3.0.2/features.json"
    text = path.read_text()
    path.write_text(text.replace("tensorflow_datasets.core.features.te", "a.b"))

    with pytest.raises(BadDataError, match=r"that is not of TFDS: a\.b"):
        open_source(load_spec("resnet20", GENERIC), copy)


def test_a_data_set_in_the_folder_of_another_version_is_refused(copy):
    (copy / "cifar10/3.0.2").rename(copy / "cifar10/3.0.9")
    spec = load_spec(
        "resnet20", ["data.dataset=tfds:cifar10/3.0.9", *GENERIC[1:]]
    )

    with pytest.raises(
        BadDataError,
        match=r"must be cifar10:3\.0\.9\. Received: cifar10:3\.0\.2",
    ):
        open_source(spec, copy)


def test_versions_that_are_there_are_named_where_another_is_missing(prepared):
    spec = load_spec(
        "resnet20", ["data.dataset=tfds:cifar10/9.9.9", *GENERIC[1:]]
    )

    with pytest.raises(InputMissingError, match=r"Found there: 3\.0\.2\. Name"):
        open_source(spec, prepared)
