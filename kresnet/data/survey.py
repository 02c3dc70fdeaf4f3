"""What is in a folder of photos: counts, sizes, modes, damage, duplicates."""

import collections
import concurrent.futures
import dataclasses
import hashlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kresnet import sealed_folder
from kresnet.data.decode import decode, opened_file, opened_image
from kresnet.data.folder import sums_folder
from kresnet.data.listing import Files, fingerprint, list_splits
from kresnet.errors import BadDataError, KresnetError
from kresnet.printable import printable

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found.

    Attributes:
        class_names: In the order of the labels.
        counts: Images of each class, by split.
        passed_over: Files that are not named as images are, by split.
        sizes: The least, median and largest width, and the same of heights.
        modes: How many images there are of each of Pillow's modes.
        broken: Paths of images that cannot be read, with the reasons.
        duplicates: Pairs of a training and a test or validation image whose
            files are equal.
        sums: Where the sums of all files were stored; `None` for nowhere.
    """

    class_names: tuple[str, ...]
    counts: dict[str, list[int]]
    passed_over: dict[str, list[str]]
    sizes: tuple[tuple[int, int, int], tuple[int, int, int]] | None
    modes: dict[str, int]
    broken: list[tuple[str, KresnetError]]
    duplicates: list[tuple[str, str]]
    sums: Path | None


def survey(root: Path, verify: bool = False) -> Survey:
    """Looks at every image of a folder; see `open_folder`.

    To `verify` is to decode every image too, and to store a SHA-256 sum of each
    file if all are sound. Else only their beginnings are read.

    Raises:
        KresnetError: As of `kresnet.data.listing.list_splits`.
    """
    splits, class_names = list_splits(root)
    sizes, modes, broken = [], collections.Counter[str](), []
    sums: dict[str, list[bytes]] = {split: [] for split in splits}
    warnings.filterwarnings("ignore", module=r"PIL\.")

    def look(path: str) -> tuple[tuple[int, int], str, bytes]:
        with opened_file(path) as file:
            digest = b""
            if verify:
                digest = hashlib.sha256(file.read()).digest()
                file.seek(0)
                decode(file, [])
                file.seek(0)
            with opened_image(file) as image:
                return image.size, image.mode, digest

    with concurrent.futures.ThreadPoolExecutor(
        os.cpu_count(), "decode"
    ) as pool:
        for split, files in splits.items():
            for path, found in _in_order(pool, look, files):
                if isinstance(found, KresnetError):
                    broken.append((path, found))
                    continue
                size, mode, digest = found
                sizes.append(size)
                modes[mode] += 1
                sums[split].append(digest)
    stored = None
    if verify and not broken:
        stored = _store(splits, class_names, sums)
    return Survey(
        class_names=class_names,
        counts={
            split: np.bincount(
                files.labels, minlength=len(class_names)
            ).tolist()
            for split, files in splits.items()
        },
        passed_over={s: files.passed_over for s, files in splits.items()},
        sizes=_spread(sizes) if sizes else None,
        modes=dict(modes.most_common()),
        broken=broken,
        duplicates=list(_duplicates(splits)),
        sums=stored,
    )


def _in_order(pool, look, files: Files) -> Iterator[tuple]:
    """Paths with what `look` found or why it failed, a thousand at a time."""

    def guarded(path):
        try:
            return look(path)
        except KresnetError as error:
            return error

    for start in range(0, len(files.names), 1_000):
        paths = [
            os.path.join(files.folder, name)
            for name in files.names[start : start + 1_000]
        ]
        yield from zip(paths, pool.map(guarded, paths), strict=True)


def _spread(sizes):
    return tuple(
        tuple(int(f(side)) for f in (np.min, np.median, np.max))
        for side in np.array(sizes).T
    )


def _duplicates(splits: dict[str, Files]) -> Iterator[tuple[str, str]]:
    """Only files of equal length are read."""
    train = splits["train"]
    by_size = collections.defaultdict(list)
    for name, size in zip(train.names, train.sizes.tolist(), strict=True):
        by_size[size].append(os.path.join(train.folder, name))
    known: dict[str, bytes | None] = {}

    def digest(path):
        if path not in known:
            try:
                with opened_file(path) as file:
                    known[path] = hashlib.file_digest(file, "sha256").digest()
            except (OSError, KresnetError):  # as `broken` says
                known[path] = None
        return known[path]

    for split, files in splits.items():
        if split == "train":
            continue
        for name, size in zip(files.names, files.sizes.tolist(), strict=True):
            for other in by_size.get(size, ()):
                path = os.path.join(files.folder, name)
                if digest(path) and digest(path) == digest(other):
                    yield other, path


def _store(splits, class_names, sums) -> Path | None:
    """Stores the sums in the user's cache, in the place of earlier ones."""
    try:
        folder = sums_folder(fingerprint(class_names, splits))
        if folder.exists():
            _compare(folder, splits, sums)
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with sealed_folder.create(folder, {"sums": "SHA-256"}) as own:
            for split, digests in sums.items():
                np.save(own / f"{split}.npy", _array(digests))
        return folder
    except (OSError, sealed_folder.DamagedError) as error:
        _LOG.warning("The sums cannot be stored: %s", printable(error))
        return None


def _array(digests: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)


def _compare(
    folder: Path, splits: dict[str, Files], sums: dict[str, list[bytes]]
) -> None:
    """Raises a BadDataError that names files which have changed."""
    sealed_folder.verify(folder)
    changed = []
    for split, digests in sums.items():
        stored = np.load(folder / f"{split}.npy", allow_pickle=False)
        files = splits[split]
        for place in np.flatnonzero((stored != _array(digests)).any(axis=1)):
            changed.append(os.path.join(files.folder, files.names[place]))
    if changed:
        others = f" and {len(changed) - 1:,} more" if changed[1:] else ""
        raise BadDataError(
            f"{changed[0]}{others}: the sum is not the one that was stored in"
            f" {folder} of a file of that name and size; delete that folder if"
            " the files are right as they are"
        )
