"""Finds a spec or a study: in a file, or shipped with the package."""

import dataclasses
import difflib
import os
import re
from importlib import resources
from importlib.resources.abc import Traversable

from kresnet.documents.characters import place_in
from kresnet.documents.document import Document
from kresnet.documents.yaml_reader import LONGEST_FILE, read_yaml
from kresnet.errors import InputMissingError, SpecError
from kresnet.printable import printable


@dataclasses.dataclass(frozen=True)
class Shipped:
    """Files of one kind that come with the package.

    Attributes:
        kind: "spec" or "study".
        folder: The folder below the package of the specs; "" for itself.
        listing: Says how a user gets their names.
    """

    kind: str
    folder: str
    listing: str

    def names(self) -> list[str]:
        """The names in natural order, `resnet20` before `resnet110`."""
        folder = resources.files("kresnet.specs") / self.folder
        names = [file.name for file in folder.iterdir()]
        found = [n.removesuffix(".yaml") for n in names if n.endswith(".yaml")]
        return sorted(found, key=_natural)

    def file(self, name: str) -> Traversable:
        """The file of a name, which need not exist."""
        return resources.files("kresnet.specs") / self.folder / f"{name}.yaml"


SPECS = Shipped("spec", "", "`kresnet specs` lists them")
STUDIES = Shipped("study", "studies", "`kresnet specs --studies` lists them")


def read_document(path: str | os.PathLike, shipped: Shipped) -> Document:
    """Reads a YAML file, or a shipped one by its name.

    Args:
        path: A file; or a shipped name if it has no folder and no ".yaml" and
            there is no such file.
        shipped: What comes with the package.

    Returns:
        The document, with what is wrong with its YAML among its problems.

    Raises:
        SpecError: The file is too large or not UTF-8.
        InputMissingError: There is no such file, or it cannot be read.
    """
    content, label = _read(os.fspath(path), shipped)
    return read_yaml(_decode(content, label), label)


def _read(name: str, shipped: Shipped) -> tuple[bytes, str]:
    label = printable(name)
    bare = os.path.basename(name) == name and not name.endswith(".yaml")
    if bare and not os.path.isfile(name):
        if name in shipped.names():
            own = shipped.file(name)
            return own.read_bytes(), str(own)
        if not os.path.exists(name):
            near = difflib.get_close_matches(name, shipped.names(), n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputMissingError(
                f"{label}: no such file, and no shipped {shipped.kind} of this"
                f" name; {hint}{shipped.listing}"
            )
    try:
        with open(name, "rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputMissingError(f"{label}: cannot be read: {reason}") from None
    if len(content) > LONGEST_FILE:
        raise SpecError(
            f"{label}: larger than {LONGEST_FILE // 1024} KiB, which no"
            f" {shipped.kind} is"
        )
    return content, label


def _decode(content: bytes, label: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        line, column = (n + 1 for n in place_in(before, len(before)))
        raise SpecError(f"{label}:{line}:{column}: not UTF-8 text") from None


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts digits by their value."""
    return [
        (int(part), "") if part.isdigit() else (0, part)
        for part in re.split(r"(\d+)", name)
    ]
