"""The photos below a folder: one folder for each class, listed, not opened."""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kresnet.errors import BadDataError, InputMissingError, read_error
from kresnet.printable import is_utf8

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


class Files(NamedTuple):
    """The images of a split, in the order of classes and then of names.

    Attributes:
        folder: Its path.
        names: Paths below the folder, "class/file".
        labels: int32, shape `(N,)`.
        sizes: Bytes of the files, int64, shape `(N,)`.
        passed_over: Names of what is no image by its name, or lies beside the
            folders of classes.
    """

    folder: Path
    names: list[str]
    labels: np.ndarray
    sizes: np.ndarray
    passed_over: list[str]


def list_splits(root: Path) -> tuple[dict[str, Files], tuple[str, ...]]:
    """Lists the images below a folder, without opening them."""
    train = root / "train"
    if not train.is_dir():
        raise InputMissingError(
            f"{train}: there is no such folder; it holds a folder of training"
            " images for each class"
        )
    folders = {"train": train} | _other_folders(root)
    class_names = tuple(_names(train, folders_only=True)[0])
    if not class_names:
        raise BadDataError(
            f"{train}: holds no folders; each is a class, with its images"
        )
    splits = {name: _list(each, class_names) for name, each in folders.items()}
    counts = np.bincount(splits["train"].labels, minlength=len(class_names))
    if empty := [
        name for name, n in zip(class_names, counts, strict=True) if not n
    ]:
        raise BadDataError(
            f"{train / empty[0]}: holds no images whose names end in"
            f" {', '.join(ENDINGS)}; every class has some"
        )
    for split in ("test", "validation"):
        if split in splits and not splits[split].names:
            raise BadDataError(f"{folders[split]}: holds no images")
    return splits, class_names


def fingerprint(class_names: tuple[str, ...], splits: dict[str, Files]) -> str:
    """SHA-256 of classes, names, labels and sizes; the path is no part."""
    digest = hashlib.sha256(json.dumps(["photos", class_names]).encode())
    for split, files in sorted(splits.items()):
        digest.update(f"{split} {len(files.names)}\n".encode())
        for name in files.names:
            digest.update(os.fsencode(name) + b"\0")
        digest.update(files.labels.astype("<i4").tobytes())
        digest.update(files.sizes.astype("<i8").tobytes())
    return digest.hexdigest()


def _other_folders(root: Path) -> dict[str, Path]:
    there = [n for n in ("test", "val", "validation") if (root / n).is_dir()]
    match there:
        case ["test" | "val" as test]:
            return {"test": root / test}
        case ["test" | "val" as test, "val" | "validation" as validation]:
            return {"test": root / test, "validation": root / validation}
        case ["test", "val", "validation"]:
            raise BadDataError(
                f"{root}: must not have both val/ and validation/ beside test/"
            )
    raise InputMissingError(
        f"{root}: has no folder test/ or val/; it holds a folder of test"
        " images for each class"
    )


def _list(folder: Path, class_names: tuple[str, ...]) -> Files:
    found, passed_over = _names(folder, folders_only=True)
    if others := sorted(set(found) - set(class_names)):
        raise BadDataError(
            f"{folder / others[0]}: must be one of the {len(class_names)}"
            " classes that train/ has a folder for"
        )
    names: list[str] = []
    labels: list[int] = []
    sizes: list[int] = []
    for label, class_name in enumerate(class_names):
        if class_name not in found:
            continue
        files, others = _names(folder / class_name, folders_only=False)
        names += [f"{class_name}/{name}" for name in files]
        labels += [label] * len(files)
        sizes += files.values()
        passed_over += [f"{class_name}/{name}" for name in others]
    return Files(
        folder,
        names,
        np.array(labels, np.int32),
        np.array(sizes, np.int64),
        passed_over,
    )


def _names(
    folder: Path, folders_only: bool
) -> tuple[dict[str, int], list[str]]:
    """Visible folders, or images with their sizes, and what is neither.

    A link to nowhere in the place of a class or an image is refused.
    """
    taken, others = {}, []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if folders_only:
                    entry.stat()  # raises for a link to nowhere
                    if not entry.is_dir():
                        others.append(entry.name)
                        continue
                    if not is_utf8(entry.name):
                        raise BadDataError(
                            f"{folder / entry.name}: must be named by UTF-8"
                            " text, since it is the name of a class"
                        )
                    taken[entry.name] = 0
                elif entry.name.lower().endswith(ENDINGS):
                    taken[entry.name] = entry.stat().st_size
                else:
                    others.append(entry.name)
    except OSError as error:
        raise read_error(error.filename or folder, error) from error
    return {name: taken[name] for name in sorted(taken)}, sorted(others)
