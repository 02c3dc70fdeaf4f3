"""Decoded data sets on disk, as arrays that are mapped instead of read.

One folder per data set and key under `$XDG_CACHE_HOME/kresnet/arrays-v1` (or
`~/.cache/...`) holds one .npy file per array and a manifest with their SHA-256
sums, its own included. Every sum is checked on every load: 184 MB take 0.1 to
0.4 CPU-seconds, and a flipped bit never reaches a network. What is damaged is
built again. The cache can be deleted at any time.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kresnet.data.dataset import ARRAYS, Dataset

_LOG = logging.getLogger(__name__)
_ABANDONED = 24 * 3600  # seconds; no process takes a day to write a cache


def cached(name: str, key: str, decode: Callable[[], Dataset]) -> Dataset:
    """Returns the data set stored under `key`, or decodes and stores it.

    Any number of processes may do this at once: each writes a folder of its
    own, and renaming it is the only step that others see. A cache that cannot
    be written is a notice in the log, and the decoded arrays are used.

    Args:
        name: The data set's name.
        key: Identifies the data before decoding, such as a hash of the files.
        decode: Called without arguments when there is no sound cache.

    Returns:
        The data set, its arrays read-only and mapped where possible.
    """
    folder = None
    try:
        folder = cache_folder() / f"{name}-{key[:32]}"
        return _read(folder)
    except FileNotFoundError:
        pass  # the first time
    except ValueError as error:
        _LOG.warning("%s is damaged (%s); building it again", folder, error)
    except OSError as error:
        _LOG.warning("The data cache cannot be read: %s", error)
    dataset = decode()
    if folder is not None:
        try:
            _write(folder, dataset)
            return _read(folder)
        except (OSError, ValueError) as error:
            _LOG.warning("The decoded data cannot be cached: %s", error)
    return dataset


def cache_folder() -> Path:
    """The folder of all cached data sets; it need not exist.

    Raises:
        OSError: the user has no home directory.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the specification says to ignore these
        try:
            base = Path.home() / ".cache"
        except RuntimeError as error:
            raise OSError(
                "there is no home directory; set XDG_CACHE_HOME"
            ) from error
    return Path(base) / "kresnet" / "arrays-v1"


def _read(folder: Path) -> Dataset:
    """Maps the data set in `folder`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged.
    """
    text = (folder / "manifest.json").read_bytes()
    arrays = {}
    try:
        content, manifest_sum = json.loads(text)
        if _sum_of_text(content) != manifest_sum:
            raise ValueError("manifest.json does not match its sum")
        for name in ARRAYS:
            path = folder / f"{name}.npy"
            with path.open("rb") as file:
                if _sum_of_file(file) != content["sums"][name]:
                    raise ValueError(f"{path.name} does not match its sum")
            # A plain view: indexing numpy.memmap itself is slower.
            arrays[name] = np.asarray(np.load(path, mmap_mode="r"))
    except (FileNotFoundError, TypeError, KeyError) as error:
        raise ValueError(str(error)) from error
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
    own = Path(tempfile.mkdtemp(suffix=".tmp", dir=folder.parent))
    try:
        sums = {}
        for name in ARRAYS:
            with (own / f"{name}.npy").open("w+b") as file:
                np.save(file, getattr(dataset, name), allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                sums[name] = _sum_of_file(file)
        content = {
            "name": dataset.name,
            "class_names": list(dataset.class_names),
            "fingerprint": dataset.fingerprint,
            "sums": sums,
        }
        with (own / "manifest.json").open("w", encoding="utf-8") as file:
            json.dump([content, _sum_of_text(content)], file)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(own)
        _publish(own, folder)
        _sync_folder(folder.parent)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _publish(own: Path, folder: Path) -> None:
    """Renames `own` to `folder`, unless a sound one is there already."""
    try:
        own.rename(folder)
        return
    except OSError:
        if not folder.exists():
            raise
    try:
        _read(folder)  # another process was faster
    except (FileNotFoundError, ValueError):
        # Moved rather than deleted in place: no reader ever sees half a folder.
        aside = Path(tempfile.mkdtemp(suffix=".tmp", dir=folder.parent))
        folder.rename(aside)
        own.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    """Removes what killed processes left behind."""
    for path in parent.glob("*.tmp"):
        if time.time() - path.stat().st_mtime > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)


def _sum_of_text(content: object) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _sum_of_file(file: BinaryIO) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
