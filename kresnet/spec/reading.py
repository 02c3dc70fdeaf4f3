"""The text of a spec or a study, from a file or shipped with the package."""

import difflib
import os

from kresnet.errors import InputMissingError, SpecError
from kresnet.printable import printable
from kresnet.spec.shipped import Shipped
from kresnet.spec.yaml_reader import LONGEST_FILE


def read_text(name: str, shipped: Shipped) -> tuple[str, str]:
    """Reads a file, or a shipped one by its name.

    Args:
        name: A file; or a shipped name if it has no folder and no ".yaml" and
            there is no such file.
        shipped: What comes with the package.

    Returns:
        The text, and what messages call the file.

    Raises:
        SpecError: It is too large or not UTF-8.
        InputMissingError: There is no such file, or it cannot be read.
    """
    content, label = _read(name, shipped)
    return _decode(content, label), label


def _read(name: str, shipped: Shipped) -> tuple[bytes, str]:
    label = printable(name)
    bare = os.path.basename(name) == name and not name.endswith(".yaml")
    if bare and not os.path.isfile(name):
        if name in shipped.names():
            file = shipped.file(name)
            return file.read_bytes(), str(file)
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
        before = content[: error.start]
        line = before.count(b"\n") + 1
        start = before.rfind(b"\n") + 1
        column = len(before[start:].decode("utf-8", "replace")) + 1
        raise SpecError(f"{label}:{line}:{column}: not UTF-8 text") from None
