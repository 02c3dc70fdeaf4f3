"""Turns what pydantic found wrong into problems with our words."""

import difflib
from collections.abc import Iterable
from typing import Any

from kresnet.documents import Path, Problem
from kresnet.spec.schema import Spec
from kresnet.spec.shapes import Shape, either, shape_of

_FOUND = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    type(None): "null",
    list: "a list",
    dict: "a mapping",
}


def structural_problems(
    errors: Iterable[dict[str, Any]], value: Any, root: type = Spec
) -> list[Problem]:
    """Words pydantic's errors.

    Args:
        errors: `ValidationError.errors()` of `root`.
        value: The raw value that was validated.
        root: The pydantic model of the whole file.

    Returns:
        A problem for each, without those that our own checks report again.
    """
    found = [
        _problem(each["type"], each["loc"], value, root) for each in errors
    ]
    problems = list(dict.fromkeys(filter(None, found)))
    # A misspelt field is one mistake, not an unknown and a missing field.
    misspelt = {p.means for p in problems if p.means}
    return [p for p in problems if p.at is None or p.path not in misspelt]


def _problem(kind: str, loc: Path, value: Any, root: type) -> Problem | None:
    path, shape, parent, choice = _walk(loc, root)
    if kind == "value_error":  # the checks find it, with its place
        return None
    if kind == "extra_forbidden":
        return _unknown(path, parent, choice)
    if kind == "missing" and parent.is_list:  # an entry of a fixed list
        path, shape, kind = path[:-1], parent, "too_short"
    if kind == "missing":
        return _missing(path, shape.expected(), shape)
    if kind == "union_tag_not_found":
        path = (*path, shape.discriminator)
        return _missing(path, either(shape.options))
    found = _at(value, path)
    if kind == "union_tag_invalid":
        path, wanted = (*path, shape.discriminator), either(shape.options)
        found = found[shape.discriminator]
    else:
        wanted = shape.expected()
    if kind == "too_short" and not shape.fixed_length and found:
        return None  # pydantic leaves out entries that are wrong
    message = f"must be {wanted}"
    if isinstance(found, str) and shape.options:
        near = _nearest(found, shape.options)
        message += f"; did you mean {near[0]}?" if near else ""
    elif kind.endswith("_type"):
        message += f", not {_FOUND[type(found)]}"
    return Problem(path, message + _size_note(path, kind, value))


def _walk(
    loc: Path, root: type
) -> tuple[Path, Shape | None, Shape, Shape | None]:
    """Follows a location of pydantic's, which names the choices taken.

    Returns:
        The path, its shape (None if unknown), its parent, and the choice by
        which the parent was taken (None if there was none).
    """
    path, shape = (), shape_of(root)
    parent, choice, taken = shape, None, None
    for step in loc:
        if shape.discriminator and isinstance(step, str):
            taken, shape = shape, shape.member(step)
            continue
        path, parent, choice, taken = (*path, step), shape, taken, None
        shape = shape.child(step)
    return path, shape, parent, choice


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _unknown(path: Path, parent: Shape, choice: Shape | None) -> Problem:
    """An unknown field: the nearest name, or what would be understood."""
    name, fields = path[-1], list(parent.model.model_fields)
    near = _nearest(name, fields)
    message = f"; did you mean {near[0]}?" if near else ""
    if not message and choice is not None:
        message = _elsewhere(name, parent, choice)
    if not message:
        message = f"; known here: {', '.join(fields)}"
    return Problem(
        path,
        f"unknown field{message}",
        received=False,
        key=True,
        means=(*path[:-1], near[0]) if near else None,
    )


def _elsewhere(name: str, parent: Shape, choice: Shape) -> str:
    """Says which other kind of mapping has a field."""
    tags = [tag for tag in choice.options if choice.member(tag).child(name)]
    own = parent.child(choice.discriminator).options[0]
    key = choice.discriminator
    return (
        f"; {key} {own} would ignore it, {key} {either(tuple(tags))} has it"
        if tags
        else ""
    )


def _missing(path: Path, wanted: str, shape: Shape | None = None) -> Problem:
    """A missing field: what it takes."""
    if shape is not None and shape.model:
        fields = shape.model.model_fields.items()
        wanted += f" with {_listing(n for n, f in fields if f.is_required())}"
    message = f"missing; must be {wanted}"
    return Problem(path, message, received=False, at=path[:-1])


def _nearest(name: str, names: Iterable) -> list[str]:
    return difflib.get_close_matches(name, map(str, names), n=1)


def _listing(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _size_note(path: Path, kind: str, value: Any) -> str:
    """Says what too many blocks would come to."""
    width = (
        _at(value, path[:-1]).get("width") if path[-1:] == ("blocks",) else 0
    )
    if kind != "less_than_equal" or type(width) is not int or width < 1:
        return ""
    parameters = 2 * 9.0 * width**2 * _at(value, path)
    return (
        f"; so many of width {width} would have about {parameters:.1e}"
        f" parameters, {4 * parameters / 1e9:.1e} GB"
    )
