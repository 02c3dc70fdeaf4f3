"""Photos of all sizes in folders, one for each class."""

import concurrent.futures
import contextlib
import hashlib
import io
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kresnet import sealed_folder
from kresnet.data.decode import decode, opened_file, versions
from kresnet.data.listing import ENDINGS, Files, fingerprint, list_splits
from kresnet.data.order import seedless_sample
from kresnet.data.source import Images, Source
from kresnet.data.views import Box, Size, resized, test_box, train_box
from kresnet.errors import (
    BadDataError,
    InputMissingError,
    KresnetError,
    SpecError,
)
from kresnet.files import cache_home
from kresnet.notices import notify
from kresnet.spec import DataSpec


class Folder(Source):
    """Images that are decoded, cropped and resized when they are asked for.

    A pool of threads reads the images of a batch. Nothing is remembered of
    what was read: an image's pixels depend on its file, its view and its key.

    Args:
        data: The `data` part of a spec, which has views.
        splits: By name, "train", "test" and perhaps "validation".
        class_names: In the order of the labels.
        shape: Height, width and channels to give.
        threads: How many; `None` for as many as there are cores.
    """

    def __init__(
        self,
        data: DataSpec,
        splits: dict[str, Files],
        class_names: tuple[str, ...],
        shape: tuple[int, int, int],
        threads: int | None = None,
    ):
        assert data.views is not None  # noqa: S101, the spec was checked
        self.name = data.dataset
        self.splits = splits
        self.class_names = class_names
        self.views = data.views
        self.shape = shape
        self.most_measured = data.statistics
        self.fingerprint = fingerprint(class_names, splits)
        self.sums = _stored_sums(self.fingerprint, splits)
        self.threads = threads or _usable_cores()
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None
        # Pillow warns of metadata that are not used, and of sizes, which are
        # checked. `catch_warnings` is not for threads.
        warnings.filterwarnings("ignore", module=r"PIL\.")

    @property
    def versions(self) -> dict[str, str]:
        return versions()

    @property
    def found(self) -> str:
        """See `Source.found`."""
        root = self.splits["train"].folder.parent
        return (
            f"photos in {root}: no file may be added, removed, renamed or of"
            " another size"
        )

    @property
    def input(self) -> tuple[int, ...]:
        return self.shape

    def labels(self, split):
        return self.splits[split].labels

    def parts(self, validation: int) -> tuple[Images, Images]:
        if "validation" not in self.splits:
            return super().parts(validation)
        return self.images("train"), self.images("validation")

    def measured(self, images: Images) -> Images:
        chosen = seedless_sample(images.indices, self.most_measured)
        return Images(self, images.split, chosen)

    def read(self, split, indices, keys=None):
        files = self.splits[split]
        if isinstance(indices, slice):
            indices = np.arange(len(files.names))[indices]
        if self._pool is None:
            self._pool = concurrent.futures.ThreadPoolExecutor(
                self.threads, "decode"
            )
        pixels = np.empty((len(indices), *self.shape), np.uint8)
        every = itertools.repeat(None) if keys is None else map(int, keys)
        reads = [
            self._pool.submit(self._see, split, index, key, row)
            for index, key, row in zip(
                map(int, indices), every, pixels, strict=False
            )
        ]
        try:
            for each in reads:
                each.result()
        except BaseException:
            for each in reads:
                each.cancel()
            raise
        return pixels

    def whole(self, split, index, use):
        with self._checked(split, index) as file:
            image, _ = self._colours(file)
            pixels = np.asarray(image)
            return use(pixels.reshape(*pixels.shape[:2], -1))

    @contextlib.contextmanager
    def _checked(self, split: str, index: int) -> Iterator[BinaryIO]:
        """Opens an image whose file is the one that was found; says whose."""
        files = self.splits[split]
        path = os.path.join(files.folder, files.names[index])
        try:
            with opened_file(path) as file:
                content = file.read()
                size = len(content)
                if size != files.sizes[index]:
                    raise BadDataError(
                        f"has changed: it had {files.sizes[index]:,} bytes and"
                        f" has {size:,}"
                    )
                if sums := self.sums:
                    digest = hashlib.sha256(content).digest()
                    if digest != sums[split][index].tobytes():
                        raise BadDataError(
                            "is damaged: its sum is not the one that `kresnet"
                            " data --verify` stored in"
                            f" {sums_folder(self.fingerprint)}"
                        )
                yield io.BytesIO(content)
        except KresnetError as error:
            raise type(error)(f"{path}: {error}") from error

    def _see(
        self, split: str, index: int, key: int | None, row: np.ndarray
    ) -> None:
        """Puts the pixels of a view of an image into a row."""
        height, width, _ = self.shape
        output = width, height

        def box_in(whole: Size) -> Box:
            if key is None:
                return test_box(self.views.test, whole, output)
            return train_box(self.views.train, whole, output, key)

        def least(whole: Size) -> float:
            left, top, right, bottom = box_in(whole)
            return min((right - left) / width, (bottom - top) / height)

        # In a test view shrinking moves probabilities by up to 0.03.
        with self._checked(split, index) as file:
            image, whole = self._colours(file, None if key is None else least)
        across, down = image.width / whole[0], image.height / whole[1]
        left, top, right, bottom = box_in(whole)
        box = left * across, top * down, right * across, bottom * down
        row[:] = np.asarray(resized(image, box, output)).reshape(self.shape)

    def _colours(self, file, least=None):
        """What `decode` returns, with the channels that are asked for."""
        image, whole = decode(file, [], least)
        mode = "RGB" if self.shape[2] == 3 else "L"
        if image.mode != mode:  # else `convert` would copy it
            image = image.convert(mode)
        return image, whole


def open_folder(
    data: DataSpec,
    shape: tuple[int, int, int],
    data_dir: str | os.PathLike[str] | None,
) -> Folder:
    """Opens a folder with train/ and test/, which hold a folder for a class.

    In the place of test/ there may be val/, as ImageNet has it; beside test/,
    val/ or validation/ has the images for validation. Only names and sizes
    are read.

    Raises:
        SpecError: `data.validation` is not 0 though there is such a folder.
        InputMissingError: A folder is not named or not there.
        BadDataError: A class has no training images, a file's name or a
            folder's cannot be used, or several folders could be meant.
    """
    root = folder_of(data_dir, data.dataset)
    splits, class_names = list_splits(root)
    if "validation" in splits and data.validation:
        raise SpecError(
            f"data.validation: must be 0, since"
            f" {splits['validation'].folder} has images for validation."
            f" Received: {data.validation}"
        )
    for files in splits.values():
        if files.passed_over:
            notify(
                f"{files.folder}: {passed_over(files.passed_over)}; images are"
                " files in the folder of a class, whose names end in"
                f" {', '.join(ENDINGS)}"
            )
    return Folder(data, splits, class_names, shape)


def passed_over(names: Sequence[str]) -> str:
    """Says how many files, at least one, are passed over."""
    files = "1 file is" if len(names) == 1 else f"{len(names):,} files are"
    return f"{files} passed over, such as {names[0]}"


def folder_of(
    data_dir: str | os.PathLike[str] | None, dataset: str = "folder"
) -> Path:
    """The folder that is named, or that of `KRESNET_DATA_DIR`."""
    data_dir = data_dir or os.environ.get("KRESNET_DATA_DIR")
    if not data_dir:
        raise InputMissingError(
            f"{dataset}: name the folder that holds train/ and test/ with"
            " --data-dir or KRESNET_DATA_DIR"
        )
    return Path(os.path.expanduser(data_dir)).absolute()


def sums_folder(fingerprint: str) -> Path:
    """Where `kresnet data --verify` stores sums; OSError without a home."""
    return cache_home() / "sums" / fingerprint[:32]


def _stored_sums(
    fingerprint: str, splits: dict[str, Files]
) -> dict[str, np.ndarray]:
    """SHA-256 sums, uint8 `(N, 32)` by split; empty if none are stored."""
    try:
        folder = sums_folder(fingerprint)
        if not folder.exists():
            return {}
        sealed_folder.verify(folder)
        return {
            split: np.load(folder / f"{split}.npy", allow_pickle=False)
            for split in splits
        }
    except (OSError, sealed_folder.DamagedError) as error:
        notify(f"the sums of the photos are not used: {error}")
        return {}


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
