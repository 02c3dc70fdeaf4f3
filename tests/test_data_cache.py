"""The cache of decoded arrays: sound or built again, never half there."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kresnet.data.cache import cache_folder, cached
from kresnet.data.source import ARRAYS, Dataset, make_dataset

KEY = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "kresnet" / "arrays-v2"


class Decoder:
    """Makes the same small data set each time, and counts the times."""

    def __init__(self):
        self.calls = 0

    def __call__(self) -> Dataset:
        self.calls += 1
        rng = np.random.RandomState(0)
        images = rng.randint(0, 256, (6, 4, 4, 3)).astype(np.uint8)
        labels = np.arange(6, dtype=np.int32)
        arrays = dict(
            zip(ARRAYS, (images, labels, images[:2], labels[:2]), strict=True)
        )
        return make_dataset("small", tuple("abcdef"), arrays)


def _assert_equal(got: Dataset, want: Dataset) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
        assert getattr(got, name).dtype == getattr(want, name).dtype
    assert got.name == want.name
    assert got.class_names == want.class_names
    assert got.fingerprint == want.fingerprint


def test_the_second_load_decodes_nothing_and_is_equal():
    decode = Decoder()
    first = cached("small", KEY, decode)
    second = cached("small", KEY, decode)
    assert decode.calls == 1
    for dataset in (first, second):
        _assert_equal(dataset, Decoder()())


def test_cached_arrays_are_mapped_and_read_only():
    dataset = cached("small", KEY, Decoder())
    for name in ARRAYS:
        array = getattr(dataset, name)
        assert type(array) is np.ndarray
        assert isinstance(array.base, np.memmap)
        assert not array.flags.writeable


def test_another_key_is_another_data_set():
    decode = Decoder()
    cached("small", KEY, decode)
    cached("small", "f" * 64, decode)
    assert decode.calls == 2


def test_any_flipped_bit_is_noticed_and_the_cache_built_again(cache, caplog):
    decode = Decoder()
    cached("small", KEY, decode)
    (folder,) = cache.iterdir()
    rng = np.random.RandomState(0)
    expected_calls = 1
    for path in sorted(folder.iterdir()):
        sound = path.read_bytes()
        # The start of an .npy file is its header; the end is data.
        places = [0, 8, len(sound) - 1, *rng.randint(0, len(sound), 5)]
        for place in places:
            broken = bytearray(sound)
            broken[place] ^= 1 << rng.randint(8)
            path.write_bytes(broken)
            _assert_equal(cached("small", KEY, decode), Decoder()())
            expected_calls += 1
            assert decode.calls == expected_calls, (path.name, place)
            assert path.read_bytes() == sound
    assert caplog.text.count("is damaged") == expected_calls - 1
    assert [path.name for path in cache.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["train_images.npy", "manifest.json"])
@pytest.mark.parametrize("how", ["removed", "empty", "cut"])
def test_a_missing_or_short_file_is_noticed(cache, name, how):
    decode = Decoder()
    cached("small", KEY, decode)
    (folder,) = cache.iterdir()
    path = folder / name
    if how == "removed":
        path.unlink()
    else:
        size = 0 if how == "empty" else path.stat().st_size - 1
        os.truncate(path, size)
    _assert_equal(cached("small", KEY, decode), Decoder()())
    assert decode.calls == 2
    cached("small", KEY, decode)
    assert decode.calls == 2


def test_arrays_in_use_outlive_a_rebuilt_cache(cache):
    dataset = cached("small", KEY, Decoder())
    (folder,) = cache.iterdir()
    (folder / "manifest.json").write_text("[]")
    cached("small", KEY, Decoder())
    _assert_equal(dataset, Decoder()())


def test_a_cache_that_cannot_be_written_is_a_notice(
    monkeypatch, tmp_path, caplog
):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    decode = Decoder()
    dataset = cached("small", KEY, decode)
    _assert_equal(dataset, Decoder()())
    assert not dataset.train_images.flags.writeable
    assert "cannot be cached" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_full_disk_is_a_notice_and_leaves_nothing(cache, monkeypatch, caplog):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    _assert_equal(cached("small", KEY, Decoder()), Decoder()())
    assert "No space left" in caplog.text
    assert list(cache.iterdir()) == []


def test_a_process_killed_while_writing_leaves_no_cache_and_no_litter(cache):
    cache.mkdir(parents=True)
    old, recent = cache / ".tmp-old", cache / ".tmp-recent"
    for folder in (old, recent):
        folder.mkdir()
        (folder / "train_images.npy").write_bytes(b"half")
    os.utime(old, (0, 0))
    decode = Decoder()
    cached("small", KEY, decode)
    assert decode.calls == 1
    assert not old.exists()
    assert recent.exists()  # perhaps another process is still writing it


def test_processes_that_start_at_once_all_load_the_same(cache):
    program = """
import sys, time
import numpy as np
from kresnet.data.cache import cached
from kresnet.data.source import ARRAYS, make_dataset

def decode():
    time.sleep(0.3)  # so that all of them decode
    images = np.zeros((50, 32, 32, 3), np.uint8)
    labels = np.zeros(50, np.int32)
    arrays = dict(zip(ARRAYS, (images, labels) * 2))
    return make_dataset("small", ("a",), arrays)

for _ in range(2):
    print(cached("small", sys.argv[1], decode).fingerprint)
"""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", program, KEY],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    outputs = [run.communicate() for run in runs]
    assert [errors for _, errors in outputs] == [""] * 3
    assert len({line for text, _ in outputs for line in text.split()}) == 1
    assert len(list(cache.iterdir())) == 1


def test_without_xdg_cache_home_the_cache_is_below_the_home_directory(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    want = tmp_path / ".cache" / "kresnet" / "arrays-v2"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == want
    # "If an implementation encounters a relative path … it should … ignore it"
    # (XDG Base Directory Specification).
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == want


def test_a_user_without_a_home_directory_gets_a_notice(monkeypatch, caplog):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    _assert_equal(cached("small", KEY, Decoder()), Decoder()())
    assert "no home directory" in caplog.text


def test_the_fingerprint_is_that_of_the_contents():
    one = Decoder()()
    arrays = {name: getattr(one, name) for name in ARRAYS}
    same = make_dataset("small", tuple("abcdef"), dict(arrays))
    assert same.fingerprint == one.fingerprint
    renamed = make_dataset("small", tuple("abcdeg"), dict(arrays))
    assert renamed.fingerprint != one.fingerprint
    pixels = one.test_images.copy()
    pixels[0, 0, 0, 0] ^= 1
    changed = make_dataset(
        "small", tuple("abcdef"), {**arrays, "test_images": pixels}
    )
    assert changed.fingerprint != one.fingerprint
