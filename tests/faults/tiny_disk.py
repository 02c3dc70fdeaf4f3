"""A real file system that is full: a small tmpfs.

A program for a mount namespace of its own, where what it mounts is gone with
it: `python tests/faults/tiny_disk.py FOLDER TIMES SEED [ITERATIONS]`.
"""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from faults import kills
from faults.checkpoints import check_equal, checkpoint

from kresnet.errors import DiskFullError
from kresnet.records.checkpoints import Checkpoints

PAGE = os.sysconf("SC_PAGE_SIZE")
MEBIBYTE = 2**20
OWN_NAMESPACE = ("unshare", "--map-root-user", "--mount")


def allowed():
    """Whether this user may mount a file system in a namespace of its own."""
    command = [*OWN_NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def full_in_a_save(disk):
    """A save on disks with 0, 1, 2… free pages, until it succeeds.

    Returns:
        On how many it failed, as it must.
    """
    folder = disk / "checkpoints"
    for free in range(1_000):
        shutil.rmtree(folder, ignore_errors=True)
        checkpoints = Checkpoints(folder, print)
        for iteration in (10, 20):
            checkpoints.save(_large(iteration))
        _resize(disk, _used(disk) + free * PAGE)
        try:
            checkpoints.save(_large(30))
        except DiskFullError as error:
            if error.exit_code != 74:
                raise
        else:
            return free
        left = sorted(path.name for path in folder.iterdir())
        if left != ["00000010", "00000020"]:
            raise AssertionError(f"{free} free pages: left {left}")
        check_equal(checkpoints.newest(), _large(20))
        _resize(disk, MEBIBYTE)
    raise AssertionError("a save does not end")


def full_in_a_run(disk, times, generator, last=kills.LAST):
    """A training whose disk is filled by others, and then has room again.

    Returns:
        How often it ended with exit code 74 and went on.
    """
    _resize(disk, 64 * MEBIBYTE)
    kills.finish(disk / "whole", last)
    run, ballast, done = disk / "killed", disk / "ballast", 0
    while done < times:
        process = kills.train(run, last)
        kills.await_checkpoint(process, run / "checkpoints", generator)
        _fill(disk, ballast, int(generator.integers(MEBIBYTE)))
        _, said = process.communicate()
        ballast.unlink()
        if process.returncode == 74:
            done += 1
        elif process.returncode == 0:
            kills.compare(disk)
        else:
            raise AssertionError(f"{process.returncode}: {said}")
    kills.finish(run, last)
    kills.compare(disk)
    return done


def _fill(disk, ballast, room):
    """Leaves `room` bytes, on a disk that a training writes to meanwhile."""
    with ballast.open("wb") as file:
        while (size := _free(disk) - room) > 0:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                # The training has taken some of it between the two calls.
            else:
                return


def _large(iteration):
    """A checkpoint of some tens of pages."""
    small = checkpoint(iteration)
    kernel = np.random.default_rng(iteration).normal(size=10_000).astype("f4")
    small.weights["conv2/kernel"] = kernel
    small.optimizer["sgd/momentum"] = kernel
    return small


def _used(disk):
    stat = os.statvfs(disk)
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


def _free(disk):
    stat = os.statvfs(disk)
    return stat.f_bavail * stat.f_frsize


def _resize(disk, size):
    options = f"remount,size={size}"
    subprocess.run(["mount", "-o", options, disk], check=True)


def _main(folder, times, seed, last=kills.LAST):
    disk = Path(folder)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTE}", "none", disk]
    subprocess.run(mount, check=True)
    print(f"{full_in_a_save(disk):,} sizes of a tmpfs that was full in a save")
    generator = np.random.default_rng(int(seed))
    done = full_in_a_run(disk, int(times), generator, int(last))
    print(f"{done:,} times a training ended with 74, had room and went on")


if __name__ == "__main__":
    _main(*sys.argv[1:])
