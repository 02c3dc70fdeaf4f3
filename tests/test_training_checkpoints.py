"""Checkpoints: kept, verified, set aside."""

import errno
import os

import numpy as np
import pytest

from kresnet.errors import (
    BadDataError,
    CannotWriteError,
    DiskFullError,
    InputMissingError,
)
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.identity import Identity


def checkpoint(iteration):
    generator = np.random.default_rng(iteration)
    return Checkpoint(
        iteration=iteration,
        weights={
            "conv1/kernel": generator.normal(size=(3, 3)).astype("float32"),
            "bn/moving_mean": generator.normal(size=4),
        },
        optimizer={"sgd/iteration": np.array(iteration, "int64")},
        state={"metrics": {"sum": 0.1 + iteration, "best": None}},
        identity=Identity(recipe="abc", seed=0, data="def"),
    )


@pytest.fixture
def notices():
    return []


@pytest.fixture
def checkpoints(tmp_path, notices):
    return Checkpoints(tmp_path / "checkpoints", notices.append)


def assert_equal(got, want):
    assert got.iteration == want.iteration
    assert got.state == want.state
    assert got.identity == want.identity
    for one, other in (
        (got.weights, want.weights),
        (got.optimizer, want.optimizer),
    ):
        assert one.keys() == other.keys()
        for name, array in one.items():
            assert array.dtype == other[name].dtype
            np.testing.assert_array_equal(array, other[name])


def damage(checkpoints, iteration):
    path = checkpoints.folder / f"{iteration:08d}" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_the_newest_is_returned_bit_for_bit(checkpoints):
    for iteration in (10, 20):
        checkpoints.save(checkpoint(iteration))

    assert_equal(checkpoints.newest(), checkpoint(20))


def test_the_last_two_and_the_best_are_kept(checkpoints):
    for iteration in (10, 20, 30, 40, 50):
        checkpoints.save(checkpoint(iteration), keep={20})

    assert checkpoints.iterations() == [20, 40, 50]


def test_a_damaged_one_is_set_aside_and_the_one_before_it_used(
    checkpoints, notices
):
    for iteration in (10, 20):
        checkpoints.save(checkpoint(iteration))
    damage(checkpoints, 20)

    assert_equal(checkpoints.newest(), checkpoint(10))

    assert (checkpoints.folder / "00000020.corrupt").is_dir()
    assert "weights.safetensors" in notices[0]
    assert notices[1].endswith("10 iterations are lost")


def test_a_manifest_that_nests_without_end_is_damage(checkpoints, notices):
    for iteration in (10, 20):
        checkpoints.save(checkpoint(iteration))
    (checkpoints.folder / "00000020/manifest.json").write_text("[" * 100_000)

    assert_equal(checkpoints.newest(), checkpoint(10))
    assert "manifest.json: not a manifest" in notices[0]


def test_a_checkpoint_that_was_renamed_is_damage(checkpoints):
    for iteration in (10, 20):
        checkpoints.save(checkpoint(iteration))
    path = checkpoints.folder / "00000020"
    path.rename(path.with_name("00000099"))

    with pytest.raises(BadDataError, match="00000099: is of iteration 20"):
        checkpoints.read()
    assert_equal(checkpoints.newest(), checkpoint(10))


def test_who_only_reads_moves_nothing_and_takes_no_older_one(
    checkpoints, notices
):
    assert checkpoints.read() is None
    for iteration in (10, 20):
        checkpoints.save(checkpoint(iteration))
    assert_equal(checkpoints.read(), checkpoint(20))
    damage(checkpoints, 20)

    with pytest.raises(BadDataError, match=r"goes on from an older one, 10"):
        checkpoints.read()
    with pytest.raises(BadDataError) as of_finished:  # which does not go on
        checkpoints.read(finished=True)
    assert str(of_finished.value).endswith(
        "left as it is; --checkpoint 10 uses an older one"
    )

    assert checkpoints.iterations() == [10, 20]
    assert notices == []


@pytest.mark.parametrize(
    "name", ["77", "000000077", "٠٠٠٠٠٠٧٧", "0000007７", "00000077.old", "²"]
)
def test_a_folder_of_another_name_is_no_checkpoint(checkpoints, name):
    checkpoints.save(checkpoint(10))
    (checkpoints.folder / name).mkdir()
    (checkpoints.folder / name / "mine").write_text("mine")

    assert checkpoints.iterations() == [10]
    assert_equal(checkpoints.read(), checkpoint(10))
    for iteration in (20, 30):  # and none is pruned
        checkpoints.save(checkpoint(iteration))
    assert (checkpoints.folder / name / "mine").read_text() == "mine"


def test_when_all_are_damaged_it_does_not_start_anew(checkpoints):
    for iteration in (10, 20):
        checkpoints.save(checkpoint(iteration))
        damage(checkpoints, iteration)

    for _ in range(2):  # the second time there are only *.corrupt left
        with pytest.raises(BadDataError, match="every checkpoint is damaged"):
            checkpoints.newest()


def test_where_there_never_was_one_there_is_none(checkpoints):
    assert checkpoints.newest() is None
    checkpoints.folder.mkdir()
    assert checkpoints.newest() is None


def test_a_folder_that_may_not_be_read_is_missing_and_not_a_bug(
    checkpoints, monkeypatch
):
    """As root one may read everything: the system's answer is replaced."""
    checkpoints.save(checkpoint(10))

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(type(checkpoints.folder), "iterdir", refuse)

    for ask in (checkpoints.iterations, checkpoints.newest):
        with pytest.raises(InputMissingError, match="cannot be read: Perm"):
            ask()
    with pytest.raises(CannotWriteError, match="cannot be written: Perm"):
        checkpoints.save(checkpoint(20))


def test_what_a_killed_process_left_is_not_a_checkpoint(checkpoints):
    checkpoints.save(checkpoint(10))
    rubbish = checkpoints.folder / ".tmp-abc"
    rubbish.mkdir()
    (rubbish / "weights.safetensors").write_bytes(b"half")

    assert checkpoints.newest().iteration == 10
    checkpoints.save(checkpoint(20))
    assert not rubbish.exists()


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EIO, DiskFullError),
        (errno.EROFS, CannotWriteError),
    ],
)
def test_when_it_cannot_be_written_the_one_before_is_untouched(
    checkpoints, monkeypatch, number, error
):
    checkpoints.save(checkpoint(10))

    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(error, match="00000020: cannot be written"):
        checkpoints.save(checkpoint(20))

    assert_equal(checkpoints.newest(), checkpoint(10))
    assert [p.name for p in checkpoints.folder.iterdir()] == ["00000010"]
