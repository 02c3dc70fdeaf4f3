"""Data sets under faults; each function raises if anything was wrong."""

import contextlib
import logging
import os

import numpy as np
from faults import damage
from faults.small_cifar10 import prepare, records, taken_for_cifar10

from kresnet.data import load_dataset
from kresnet.data.cache import cache_folder, cached
from kresnet.data.source import ARRAYS, make_dataset
from kresnet.errors import BadDataError

KEY = "0123456789abcdef" * 4


def cut_at_record(path, generator):
    """Cuts a file of records where one ends, down to nothing."""
    ends = [0, *(end for _, end in records(path))]
    os.truncate(path, ends[int(generator.integers(len(ends) - 1))])


def damaged_cache(folder, kind, times, generator):
    """The cache of a small data set is hurt: it must be built again."""
    want = _small()
    with cache_below(folder) as warnings:
        cached("small", KEY, _small)
        (entry,) = cache_folder().iterdir()
        sound = _content(entry)
        for _ in range(times):
            kind(damage.some_file(entry, generator), generator)
            decoded = []
            warnings.clear()

            def decode(decoded=decoded):
                decoded.append(True)
                return _small()

            _check_equal(cached("small", KEY, decode), want)
            if not decoded or not any("is damaged" in w for w in warnings):
                raise AssertionError("the damage was not found, or not said")
            if _content(entry) != sound or len(_names(cache_folder())) != 1:
                raise AssertionError("the cache was not built again")
    return times


def damaged_shards(folder, kind, times, generator):
    """A file of records is hurt: it must be refused by name.

    Sound data are loaded before, so that a cache of them is there.
    """
    root = prepare(folder / "data")
    shards = sorted(root.rglob("*.tfrecord-*"))
    with taken_for_cifar10(), cache_below(folder):
        want = load_dataset("cifar10", root)
        for _ in range(times):
            shard = shards[int(generator.integers(len(shards)))]
            with damage.hurt(shard, kind, generator):
                _check_refused(root, shard)
        _check_equal(load_dataset("cifar10", root), want)
        if len(_names(cache_folder())) != 1:
            raise AssertionError("something damaged was cached")
    return times


def damaged_description(folder, kind, times, generator):
    """A file that describes the data is hurt: refused, or it changed nothing.

    Returns:
        How many files were hurt.
    """
    root = prepare(folder / "data")
    files = sorted(
        p for p in root.rglob("*.*") if p.suffix in (".json", ".txt")
    )
    with taken_for_cifar10(), cache_below(folder):
        want = load_dataset("cifar10", root)
        for _ in range(times):
            path = files[int(generator.integers(len(files)))]
            with damage.hurt(path, kind, generator):
                try:
                    got = load_dataset("cifar10", root)
                except BadDataError:
                    continue
                _check_equal(got, want)
    return times


def _check_refused(root, shard):
    try:
        load_dataset("cifar10", root)
    except BadDataError as error:
        if shard.name not in str(error) or error.exit_code != 65:
            raise AssertionError(f"{shard.name} not named: {error}") from error
    else:
        raise AssertionError(f"damage to {shard.name} was not found")


def _small():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (6, 4, 4, 3)).astype(np.uint8)
    labels = np.arange(6, dtype=np.int32)
    values = (images, labels, images[:2], labels[:2])
    arrays = dict(zip(ARRAYS, values, strict=True))
    return make_dataset("small", tuple("abcdef"), arrays)


def _check_equal(got, want):
    same = all(
        getattr(got, name) == getattr(want, name)
        for name in ("name", "class_names", "fingerprint")
    )
    for name in ARRAYS:
        one, other = getattr(got, name), getattr(want, name)
        same &= (one.dtype, one.shape) == (other.dtype, other.shape)
        same &= one.tobytes() == other.tobytes()
    if not same:
        raise AssertionError("wrong arrays")


@contextlib.contextmanager
def cache_below(folder):
    """Moves the cache there; yields what it warns of."""
    before = os.environ.get("XDG_CACHE_HOME")
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("kresnet.data.cache")
    os.environ["XDG_CACHE_HOME"] = str(folder.absolute() / "cache")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        del os.environ["XDG_CACHE_HOME"]
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _names(folder):
    return [path.name for path in folder.iterdir()]
