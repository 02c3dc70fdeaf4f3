"""A folder of photos: a folder for each part, in it one for each class."""

import concurrent.futures
import functools
import hashlib
import io
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import features

from kresnet.data.photo import open_photo
from kresnet.data.source import Source
from kresnet.data.views import resized, test_box, train_box
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.notices import notify
from kresnet.printable import is_utf8
from kresnet.spec import Views

# Folders that a part may be in; the first that is there is taken.
PARTS = {
    "train": ("train",),
    "validation": ("validation",),
    "test": ("test", "val"),
}
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
# More threads than that wait for each other's Python.
_MOST_THREADS = 32


class Part:
    """The files of one part, sorted by class and name.

    Attributes:
        path: Its folder.
        files: Names of the files, each in the folder of its class.
        labels: int32, shape `(N,)`.
        sizes: int64, shape `(N,)`: bytes of the files.
        passed_over: How many files have no ending of an image, and one of
            them.
    """

    def __init__(self, path: Path, class_names: Sequence[str]):
        self.path = path
        self.class_names = class_names
        self.files: list[str] = []
        self.passed_over: tuple[int, str] = (0, "")
        labels: list[np.ndarray] = []
        sizes: list[np.ndarray] = []
        for label, name in enumerate(class_names):
            found = sorted(self._images(name))
            if not found:
                raise BadDataError(
                    f"{path / name}: has no image, which must end in"
                    f" {', '.join(ENDINGS)}"
                )
            self.files += [file for file, _ in found]
            labels.append(np.full(len(found), label, np.int32))
            sizes.append(np.array([size for _, size in found], np.int64))
        self.labels, self.sizes = np.concatenate(labels), np.concatenate(sizes)
        self.labels.setflags(write=False)

    def _images(self, name: str) -> Iterator[tuple[str, int]]:
        with os.scandir(self.path / name) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.name.lower().endswith(ENDINGS) and entry.is_file():
                    yield entry.name, entry.stat().st_size
                else:
                    count, _ = self.passed_over
                    self.passed_over = count + 1, entry.path

    def file(self, index: int) -> Path:
        """The path of an image."""
        name = self.class_names[self.labels[index]]
        return self.path / name / self.files[index]


class Folder(Source):
    """Photos of any size, decoded, cropped and resized as they are asked for.

    Names, labels and sizes are in memory, and no pixels. Several threads read
    the images of a batch, since Pillow works outside of Python's lock. What
    they make depends on the file, the view and the image's key alone.

    Args:
        name: The name a spec uses.
        root: Has a folder for each part, and it one for each class.
        input: Height, width and channels of the images that are made.
        views: What is seen of an image, in training and else.

    Raises:
        InputMissingError: A folder is not there or cannot be read.
        BadDataError: The parts have different classes, or a class has no
            image.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        input: tuple[int, int, int],
        views: Views,
    ):
        self.name = name
        self.root = root
        self._input = input
        self.views = views
        try:
            self.parts = _parts(root)
        except OSError as error:
            raise InputMissingError(
                f"{error.filename}: cannot be read: {error.strerror}"
            ) from error
        self.class_names = tuple(self.parts["train"].class_names)
        for part in self.parts.values():
            count, example = part.passed_over
            if count:
                notify(
                    f"{part.path}: {count:,} that are no images by their"
                    f" endings are passed over, such as {example}"
                )
        self.fingerprint = self._fingerprint()
        # Of metadata that are not used. Not `catch_warnings`: it is no use
        # where threads decode.
        warnings.filterwarnings("ignore", module=r"PIL\.")

    @property
    def input(self) -> tuple[int, ...]:
        """See `Source.input`."""
        return self._input

    @property
    def versions(self) -> dict[str, str]:
        """See `Source.versions`."""
        names = {"pillow": "pil", "libjpeg_turbo": "libjpeg_turbo"}
        return {
            name: features.version(feature) or "none"
            for name, feature in names.items()
        }

    def labels(self, split):
        """See `Source.labels`."""
        return self.parts[split].labels

    def split(self, validation):
        """See `Source.split`; `validation/` takes the place of a number."""
        if "validation" not in self.parts:
            return super().split(validation)
        if validation:
            raise SpecError(
                "data.validation: must be 0, since the validation images are"
                f" those in {self.parts['validation'].path}. Received:"
                f" {validation}"
            )
        return self.images("train"), self.images("validation")

    def read(self, split, indices, keys=None):
        """See `Source.read`; with keys in the training view, else the test's.

        Raises:
            BadDataError: A file is damaged, no image, or not of the size that
                it had.
            InputMissingError: A file is gone, or cannot be read.
        """
        part = self.parts[split]
        places = np.arange(len(part.files))[indices]
        pixels = np.empty((len(places), *self.input), np.uint8)

        def put(row: int) -> None:
            key = None if keys is None else int(keys[row])
            pixels[row] = self._image(part, int(places[row]), key)

        # The first error cancels what has not begun.
        for _ in self._threads.map(put, range(len(places))):
            pass
        return pixels

    def _image(self, part: Part, index: int, key: int | None) -> np.ndarray:
        height, width, channels = self.input
        out = (width, height)

        def box(size):
            if key is None:
                return test_box(self.views.test, size, out)
            return train_box(self.views.train, size, out, key)

        def ratio(size):
            left, top, right, bottom = box(size)
            return min((right - left) / width, (bottom - top) / height)

        file = io.BytesIO(self.content(part, index))
        # In the test view the pixels of a whole decoding are wanted.
        ratio_or_none = None if key is None else ratio
        try:
            image, size = open_photo(file, channels, [], ratio_or_none)
        except BadDataError as error:
            raise BadDataError(f"{part.file(index)}: {error}") from error
        there = box(size).scaled(image.width / size[0], image.height / size[1])
        return resized(image, there, out).reshape(self.input)

    def content(self, part: Part, index: int) -> bytes:
        """The bytes of a file, of as many as it had when the data opened."""
        path = part.file(index)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputMissingError(
                f"{path}: cannot be read any more: {error.strerror}"
            ) from error
        if len(content) != part.sizes[index]:
            raise BadDataError(
                f"{path}: had {part.sizes[index]:,} bytes when the data were"
                f" opened. Received: {len(content):,}"
            )
        return content

    @functools.cached_property
    def _threads(self) -> concurrent.futures.ThreadPoolExecutor:
        cores = (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
        return concurrent.futures.ThreadPoolExecutor(
            min(cores, _MOST_THREADS), "decode"
        )

    def _fingerprint(self) -> str:
        """SHA-256 of names, labels and sizes."""
        digest = hashlib.sha256(json.dumps(self.class_names).encode())
        for name, part in self.parts.items():
            digest.update(f"{name} {len(part.files)}\0".encode())
            for file in part.files:  # a name has neither a slash nor a NUL
                digest.update(os.fsencode(file) + b"\0")
            digest.update(part.labels.astype("<i4").tobytes())
            digest.update(part.sizes.astype("<i8").tobytes())
        return digest.hexdigest()


def _parts(root: Path) -> dict[str, Part]:
    """The parts below a folder: train, test, and validation if it is there."""
    found: dict[str, Path] = {}
    for name, folders in PARTS.items():
        for folder in reversed(folders):
            if (root / folder).is_dir():
                found[name] = root / folder
    for name in ("train", "test"):
        if name not in found:
            there = sorted(os.listdir(root))
            raise InputMissingError(
                f"{root}: must have a folder {' or '.join(PARTS[name])}, with"
                f" a folder of images for each class. Found:"
                f" {', '.join(there[:20]) or 'nothing'}"
            )
    names = _classes(found["train"])
    if not names:
        raise BadDataError(f"{found['train']}: has no folder of a class")
    for path in found.values():
        if others := set(names) ^ set(_classes(path)):
            raise BadDataError(
                f"{path}: must have a folder for each class of"
                f" {found['train']}, and no other. Different:"
                f" {', '.join(sorted(others)[:20])}"
            )
    return {name: Part(path, names) for name, path in found.items()}


def _classes(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        names = sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and entry.is_dir()
        )
    for name in names:
        if not is_utf8(name):
            raise BadDataError(
                f"{path / name}: must have a name of UTF-8 text, which is the"
                " name of a class"
            )
    return names
