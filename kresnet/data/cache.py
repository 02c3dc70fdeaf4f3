"""Decoded data sets on disk, as arrays that are mapped instead of read.

One sealed folder per data set and key under `$XDG_CACHE_HOME/kresnet/arrays-v2`
(or `~/.cache/...`) holds one .npy file per array. Every sum is checked on every
load: 184 MB take 0.1 to 0.4 CPU-seconds, and a flipped bit never reaches a
network. What is damaged is built again. The cache can be deleted at any time.
"""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kresnet import sealed_folder
from kresnet.data.source import ARRAYS, Dataset
from kresnet.files import cache_home
from kresnet.printable import printable

_LOG = logging.getLogger(__name__)
_ABANDONED = 24 * 3600  # seconds; no process takes a day to write a cache


def cached(name: str, key: str, decode: Callable[[], Dataset]) -> Dataset:
    """Returns the data set stored under `key`, or decodes and stores it.

    Any number of processes may do this at once: each writes a folder of its
    own, and renaming it is the only step that others see. A cache that cannot
    be written is a notice in the log, and the decoded arrays are used. The key
    identifies the data before decoding, such as a hash of the files.
    """
    folder = None
    try:
        folder = cache_folder() / f"{name}-{key[:32]}"
        if folder.exists():
            return _read(folder)
    except sealed_folder.DamagedError as error:
        _LOG.warning(
            "Cached data is damaged and decoded anew: %s", printable(error)
        )
    except OSError as error:
        _LOG.warning("The data cache cannot be read: %s", printable(error))
    dataset = decode()
    if folder is None:
        return dataset
    try:
        _write(folder, dataset)
        return _read(folder)
    except (OSError, sealed_folder.DamagedError) as error:
        _LOG.warning("Decoded data cannot be cached: %s", printable(error))
    return dataset


def cache_folder() -> Path:
    """The folder of all cached data sets; see `kresnet.files.cache_home`."""
    return cache_home() / "arrays-v2"


def _read(folder: Path) -> Dataset:
    """Maps the data set in `folder`, or raises a DamagedError."""
    content = sealed_folder.verify(folder)
    # Plain views: indexing numpy.memmap itself is slower.
    arrays = {
        name: np.asarray(
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        )
        for name in ARRAYS
    }
    return Dataset(
        name=content["name"],
        class_names=tuple(content["class_names"]),
        fingerprint=content["fingerprint"],
        **arrays,
    )


def _write(folder: Path, dataset: Dataset) -> None:
    """Puts `dataset` into `folder`, in one step for everybody else."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder.parent)
    _remove_damaged(folder)
    content = {
        "name": dataset.name,
        "class_names": list(dataset.class_names),
        "fingerprint": dataset.fingerprint,
    }
    try:
        with sealed_folder.create(folder, content) as own:
            for name in ARRAYS:
                array = getattr(dataset, name)
                np.save(own / f"{name}.npy", array, allow_pickle=False)
    except OSError:
        if not folder.exists():  # else another process was faster
            raise


def _remove_damaged(folder: Path) -> None:
    """Makes room where there is no sound folder."""
    if not folder.exists():
        return
    try:
        sealed_folder.verify(folder)
    except sealed_folder.DamagedError:
        # Moved rather than deleted in place: no reader ever sees half a folder.
        rubbish = tempfile.mkdtemp(
            prefix=sealed_folder.TEMPORARY, dir=folder.parent
        )
        folder.rename(rubbish)
        shutil.rmtree(rubbish, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(f"{sealed_folder.TEMPORARY}*"):
        if time.time() - path.stat().st_mtime > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)
