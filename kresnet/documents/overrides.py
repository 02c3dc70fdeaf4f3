"""Overrides: `training.learning_rate.at=[750,1125]` changes one field."""

import re
from collections.abc import Sequence

from kresnet.documents.document import Document, Place
from kresnet.documents.fields import Path, shown
from kresnet.documents.yaml_reader import LONGEST_FILE, read_yaml
from kresnet.printable import is_utf8

_STEP = re.compile(r"(?:^|\.)([^.\[\]]+)|\[([0-9]+)\]")
_LONGEST_PATH = 200


def apply_overrides(document: Document, overrides: Sequence[str]) -> list[Path]:
    """Changes a document in the order given; returns the paths changed.

    Each is such as "model.stages[0].blocks=3"; a value is read as it would be
    in the file. Mistakes are kept among the document's problems.
    """
    changed: list[Path] = []
    for number, override in enumerate(overrides, start=1):
        place = Place((number, 0, 0), f"--set {shown(override, 120)}")
        try:
            path = _apply(document, override, place)
            if path in changed:
                raise _RefusedError("set twice")
            changed.append(path)
        except _RefusedError as error:
            document.problems.append((place, str(error)))
    return changed


class _RefusedError(Exception):
    """An override that cannot be applied."""


def _apply(document: Document, override: str, place: Place) -> Path:
    name, equals, text = override.partition("=")
    if not equals or len(override) > LONGEST_FILE:
        raise _RefusedError(
            "must be FIELD=VALUE, such as training.momentum=0.5"
        )
    if not text.strip():
        raise _RefusedError("no value; write null for none")
    path = _resolve(document, _steps(name.strip()))
    value = read_yaml(text, place.label, place.order)
    if value.problems:
        document.problems += value.problems
        return path
    document.put(path, value, place)
    return path


def _steps(name: str) -> list[str]:
    """Splits `model.stages[0].blocks` or `model.stages.0.blocks`."""
    steps, position = [], 0
    while position < len(name) <= _LONGEST_PATH:
        found = _STEP.match(name, position)
        if found is None:
            break
        steps.append(found[1] or found[2])
        position = found.end()
    whole = position >= len(name) and not name.startswith(".")
    if not steps or not whole or not is_utf8(name):
        raise _RefusedError("must name a field, such as model.stages[0].blocks")
    return steps


def _resolve(document: Document, steps: list[str]) -> Path:
    """Turns steps into a path; all but the last must lead somewhere."""
    value = document.value
    path: Path = ()
    for step in steps:
        if isinstance(value, list):
            if not step.isdecimal() or int(step) >= len(value):
                raise _RefusedError(
                    f"{step} is not an entry of a list of {len(value)}; they"
                    " count from 0"
                )
            path, value = (*path, int(step)), value[int(step)]
        elif isinstance(value, dict):
            # An optional part may be left out.
            path, value = (*path, step), value.get(step, {})
        elif value is None:
            path, value = (*path, step), {}
        else:
            raise _RefusedError(
                f"there is nothing to set inside {shown(value)}"
            )
    return path
