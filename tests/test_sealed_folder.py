"""Folders that are there whole and unchanged, or not at all."""

import errno
import os

import pytest

from kresnet import sealed_folder
from kresnet.sealed_folder import DamagedError

FILES = {"a.bin": bytes(range(256)), "inner/b.txt": b"text"}


def write(folder, content):
    with sealed_folder.create(folder, content) as own:
        (own / "inner").mkdir()
        for name, data in FILES.items():
            (own / name).write_bytes(data)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "sealed", {"iteration": 7})
    return tmp_path / "sealed"


def test_what_was_written_verifies(folder):
    assert sealed_folder.verify(folder) == {"iteration": 7}
    assert (folder / "a.bin").read_bytes() == FILES["a.bin"]
    assert [p.name for p in folder.parent.iterdir()] == ["sealed"]


@pytest.mark.parametrize("name", ["a.bin", "inner/b.txt", "manifest.json"])
def test_every_flipped_bit_of_every_file_is_found(folder, name):
    path = folder / name
    sound = path.read_bytes()
    for position in range(0, len(sound), 7):
        for bit in (0, 5):
            damaged = bytearray(sound)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            with pytest.raises(DamagedError, match=name):
                sealed_folder.verify(folder)
    path.write_bytes(sound)
    sealed_folder.verify(folder)


@pytest.mark.parametrize("name", ["a.bin", "inner/b.txt", "manifest.json"])
def test_a_file_cut_short_or_missing_is_found(folder, name):
    path = folder / name
    sound = path.read_bytes()
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        with pytest.raises(DamagedError, match=name):
            sealed_folder.verify(folder)
    path.unlink()
    with pytest.raises(DamagedError, match=f"{name}: missing"):
        sealed_folder.verify(folder)


@pytest.mark.parametrize("name", ["c.bin", "inner/c.bin"])
def test_an_added_file_is_found_but_a_hidden_one_is_nothing(folder, name):
    (folder / ".DS_Store").write_bytes(b"x")
    sealed_folder.verify(folder)
    (folder / name).write_bytes(b"x")
    with pytest.raises(DamagedError, match="was not there"):
        sealed_folder.verify(folder)


# Two files, the manifest and two folders are synced before the one rename.
@pytest.mark.parametrize(
    ("call", "turn"),
    [*(("fsync", i) for i in range(1, 6)), ("rename", 1)],
)
def test_when_the_disk_is_full_nothing_is_left(
    tmp_path, monkeypatch, call, turn
):
    real, calls = getattr(os, call), []

    def fail(*arguments):
        calls.append(arguments)
        if len(calls) == turn:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "sealed", {})

    assert list(tmp_path.iterdir()) == []
