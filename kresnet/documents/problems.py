"""What is wrong with a spec: one `Problem` each, and how it is worded."""

from dataclasses import dataclass, replace
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a spec.

    Attributes:
        path: Path of the field at fault, such as ("model", "stages", 1).
        message: What is wrong, "must be …"; the field's name is put before.
        also: Paths of the other fields that a disagreement involves.
        received: Whether to close with what the field holds.
        at: Path whose place is cited, if it is not `path`.
        key: Whether the name, not the value, is at fault.
        means: Path of the field that a misspelt name probably means.
    """

    path: Path
    message: str
    also: tuple[Path, ...] = ()
    received: bool = True
    at: Path | None = None
    key: bool = False
    means: Path | None = None

    def under(self, part: str) -> "Problem":
        """The same problem, of a part of the spec, in the whole."""
        return replace(
            self,
            path=(part, *self.path),
            also=tuple((part, *path) for path in self.also),
        )


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
    """Returns text that is safe and short enough to be put in a message."""
    text = str(value)
    if not text.isprintable():
        text = repr(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def as_yaml(value: Any) -> str:
    """Writes a value as it would stand in a spec, on one line."""
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
