"""A disk that is full at some byte; each function raises if it must."""

import shutil

from faults.checkpoints import check_equal, checkpoint, saved
from faults.disk import SmallDisk

from kresnet.errors import DiskFullError
from kresnet.records.checkpoints import Checkpoints
from kresnet.training.logs.events import Events

PLENTY = 1_000_000


def full_in_a_save(folder, every=1):
    """The disk is full after each number of bytes of a save.

    Args:
        folder: Made here.
        every: Difference of the numbers that are tried.

    Returns:
        How many were tried.
    """
    folder.mkdir(parents=True)
    saved(folder / "sound", (10, 20))
    size = _save(folder, SmallDisk(PLENTY))
    sizes = range(0, size, every)
    for bytes_free in sizes:
        try:
            _save(folder, SmallDisk(bytes_free))
        except DiskFullError as error:
            if error.exit_code != 74:
                raise
        else:
            raise AssertionError(f"{bytes_free} of {size} bytes: not said")
        _check_sound(folder / "trial")
    return len(sizes)


def _save(folder, disk):
    """Saves a third checkpoint; returns how many bytes that took."""
    shutil.rmtree(folder / "trial", ignore_errors=True)
    shutil.copytree(folder / "sound", folder / "trial")
    checkpoints = Checkpoints(folder / "trial", print)
    with disk.attached():
        checkpoints.save(checkpoint(30))
    return disk.written


def _check_sound(folder):
    """The last good one loads, nothing else is there, and it can go on."""
    if sorted(p.name for p in folder.iterdir()) != ["00000010", "00000020"]:
        raise AssertionError(f"something was left: {list(folder.iterdir())}")
    notices = []
    again = Checkpoints(folder, notices.append)
    check_equal(again.newest(), checkpoint(20))
    again.save(checkpoint(30))
    check_equal(again.newest(), checkpoint(30))
    if notices:
        raise AssertionError(f"a full disk was taken for damage: {notices}")


def full_in_the_events(folder, every=1):
    """The disk is full after each number of bytes of TensorBoard's file.

    Returns:
        How many were tried.
    """
    size, notices = _write_events(folder / "plenty", SmallDisk(PLENTY))
    if notices:
        raise AssertionError(f"said without a reason: {notices}")
    sizes = range(0, size, every)
    for bytes_free in sizes:
        own = folder / str(bytes_free)
        _, notices = _write_events(own, SmallDisk(bytes_free))
        if len(notices) != 1 or "no TensorBoard events" not in notices[0]:
            raise AssertionError(f"{bytes_free} of {size} bytes: {notices}")
    return len(sizes)


def _write_events(folder, disk):
    folder.mkdir(parents=True)
    notices = []
    with disk.attached():
        events = Events(folder / "events", 100, notices.append)
        for iteration in (200, 300, 400):
            events({"iteration": iteration, "training_error": 50.0})
        events.close()
    return disk.written, notices
