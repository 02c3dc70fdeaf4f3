"""Checkpoints under faults; each function raises if anything was wrong."""

import errno
import shutil
from pathlib import Path

import numpy as np
from faults.damage import some_file

from kresnet.errors import KresnetError
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.identity import Identity

FAILURES = (None, errno.ENOSPC, errno.EIO, errno.EROFS)


def checkpoint(iteration):
    """A small checkpoint whose content depends on its iteration."""
    generator = np.random.default_rng(iteration)
    return Checkpoint(
        iteration=iteration,
        weights={"conv1/kernel": generator.normal(size=(3, 3, 2)).astype("f4")},
        optimizer={"sgd/iteration": np.array(iteration, "int64")},
        state={"losses": {"rows": [0.1 * iteration]}},
        identity=Identity(recipe="abc", seed=0, data="def"),
    )


def check_equal(got, want):
    """Compares bit for bit."""
    same = got.iteration == want.iteration and got.state == want.state
    for one, other in (
        (got.weights, want.weights),
        (got.optimizer, want.optimizer),
    ):
        same &= one.keys() == other.keys()
        same &= all(
            one[name].dtype == other[name].dtype
            and one[name].tobytes() == other[name].tobytes()
            for name in one
        )
    if not same:
        raise AssertionError(f"wrong arrays at iteration {want.iteration}")


def saved(folder, iterations):
    """Checkpoints of these iterations, and what it will be told."""
    notices = []
    checkpoints = Checkpoints(Path(folder), notices.append)
    for iteration in iterations:
        checkpoints.save(checkpoint(iteration))
    return checkpoints, notices


def damaged(folder, hurt, some_file, generator):
    """The newest of two checkpoints is hurt: the other one must come back."""
    folder.mkdir(parents=True)
    checkpoints, notices = saved(folder, (10, 20))
    hurt(some_file(Path(folder) / "00000020", generator), generator)
    check_equal(checkpoints.newest(), checkpoint(10))
    if not (Path(folder) / "00000020.corrupt").is_dir():
        raise AssertionError("the damaged one was not set aside")
    if not notices[-1].endswith("10 iterations are lost"):
        raise AssertionError(f"the loss was not said: {notices}")


def damaged_often(folder, hurt, times, generator):
    """Does that so many times.

    Returns:
        How many times.
    """
    for i in range(times):
        own = Path(folder) / str(i)
        damaged(own, hurt, some_file, generator)
        shutil.rmtree(own)
    return times


def operations(disk, folder):
    """How many operations a save with its pruning takes."""
    checkpoints, _ = saved(folder, (10, 20))
    with disk.attached():
        checkpoints.save(checkpoint(30))
    return disk.count


def failing(disk, folder):
    """A save fails or is killed: a good checkpoint must be there, and go on.

    A failure is said. A killed save is no damage: nothing may be reported as
    such.
    """
    checkpoints, notices = saved(folder, (10, 20))
    try:
        with disk.attached():
            checkpoints.save(checkpoint(30))
    except KresnetError as error:
        if error.exit_code not in (73, 74):
            raise
    except BaseException as error:
        if type(error).__name__ != "Killed":
            raise
    else:
        # Only that a folder cannot be made which is there is no failure.
        if disk.failed != ("mkdir", Path(folder)):
            raise AssertionError(f"not said: {disk.failed}")
    again = Checkpoints(Path(folder), notices.append)
    newest = again.newest()
    if newest.iteration not in (20, 30):
        raise AssertionError(f"went back to iteration {newest.iteration}")
    check_equal(newest, checkpoint(newest.iteration))
    again.save(checkpoint(40))
    check_equal(again.newest(), checkpoint(40))
    rubbish = [path.name for path in Path(folder).glob(".tmp-*")]
    if notices or rubbish:
        raise AssertionError(f"left behind: {notices}, {rubbish}")


def every_failure(disk_of, folder):
    """Lets every operation of a save fail in every way.

    Returns:
        How many failures were tried.
    """
    folder = Path(folder)
    count = operations(disk_of(None, None), folder / "counted")
    tried = 0
    for error in FAILURES:
        for number in range(count):
            own = folder / f"{error}-{number}"
            failing(disk_of(number, error), own)
            shutil.rmtree(own)
            tried += 1
    return tried
