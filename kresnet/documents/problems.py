"""What is wrong with a document: one `Problem` each, and how it is worded."""

from dataclasses import dataclass, replace
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: The path of the field at fault, such as ("model", "stages", 1).
        message: What is wrong, "must be …"; the field's name is put before.
        also: The paths of the other fields that a disagreement involves.
        received: Whether to close with what the field holds.
        key: Whether the name, not the value, is at fault.
    """

    path: Path
    message: str
    also: tuple[Path, ...] = ()
    received: bool = True
    key: bool = False

    def under(self, place: Path) -> "Problem":
        """A problem of the part at a place, as one of the whole."""
        return replace(
            self,
            path=(*place, *self.path),
            also=tuple((*place, *path) for path in self.also),
        )


def value_at(value: Any, path: Path) -> Any:
    """The part of a value at a path."""
    for step in path:
        value = value[step]
    return value


def field_name(path: Path) -> str:
    """Writes a path as `model.stages[1].width`."""
    name = ""
    for step in path:
        if isinstance(step, int):
            name += f"[{step}]"
        else:
            name += f".{shown(step)}" if name else shown(step)
    return name


def shown(value: Any, longest: int = 60) -> str:
    """Text that is safe and short enough to be put in a message."""
    text = str(value)
    if not text.isprintable():
        text = repr(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def as_yaml(value: Any) -> str:
    """Writes a value as it would stand in a file, on one line."""
    if isinstance(value, dict):
        inside = ", ".join(f"{k}: {as_yaml(v)}" for k, v in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_yaml, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
