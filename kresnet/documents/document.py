"""A parsed YAML file: plain values, and the place each of them came from."""

from dataclasses import dataclass, field
from typing import Any

from kresnet.documents.fields import (
    Path,
    Problem,
    as_yaml,
    field_name,
    shown,
    value_at,
)


@dataclass(frozen=True)
class Place:
    """The place of a value or a key.

    Attributes:
        order: Sorts places: files first by line and column, then overrides.
        label: "specs/x.yaml:12:5", or the override itself.
        text: The value as it was written; empty for a list or a mapping.
    """

    order: tuple[int, int, int]
    label: str
    text: str = ""

    @property
    def from_override(self) -> bool:
        """Whether an override, not the file, put it there."""
        return self.order[0] > 0


@dataclass
class Document:
    """The value of a document and the places of all of its parts.

    Attributes:
        label: What messages call it: a path, or an override as it stands.
        value: Mappings, lists and scalars.
        values: Places of the values, by path; the whole document has ().
        keys: Places of the keys of mappings, by path.
        problems: What the loader refused, with the place.
        unusable: Paths whose value was refused and means nothing.
    """

    label: str
    value: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    problems: list[tuple[Place, str]] = field(default_factory=list)
    unusable: set[Path] = field(default_factory=set)

    def put(self, path: Path, part: "Document", place: Place) -> None:
        """Replaces the value at a path, whose mappings are made if need be."""
        self.remove_places(path)
        value = self.value
        prefix: Path = ()
        for step in path[:-1]:
            prefix = (*prefix, step)
            if isinstance(value, dict) and value.get(step) is None:
                value[step] = {}
                self.values[prefix] = self.keys[prefix] = place
            value = value[step]
        value[path[-1]] = part.value
        self.keys[path] = place
        self.values |= {(*path, *p): at for p, at in part.values.items()}
        self.keys |= {(*path, *p): at for p, at in part.keys.items()}

    def remove_places(self, path: Path) -> None:
        """Forgets the places of a value and of its parts."""
        for places in (self.values, self.keys):
            for known in [p for p in places if p[: len(path)] == path]:
                del places[known]
        inside = {p for p in self.unusable if p[: len(path)] == path}
        self.unusable -= inside

    def report(self, problem: Problem) -> None:
        """Keeps the line of a problem, and its place."""
        place = self.place(problem)
        name, message = field_name(problem.path), problem.message
        line = f"{name}{' ' if message.startswith('is ') else ': '}{message}"
        if problem.received:
            end = "" if line.endswith("?") else "."
            line += f"{end} Received: {self.received(problem.path)}"
        self.problems.append((place, line.removeprefix(": ")))

    def place(self, problem: Problem) -> Place:
        """The place to cite: an override's, if one is involved."""
        own = self.nearest(
            problem.path, self.keys if problem.key else self.values
        )
        places = [own, *(self.nearest(other) for other in problem.also)]
        return next((place for place in places if place.from_override), own)

    def nearest(self, path: Path, places: dict | None = None) -> Place:
        """The place of a path, or of the part that lacks it."""
        if places is not None and path in places:
            return places[path]
        while path not in self.values:
            path = path[:-1]
        return self.values[path]

    def received(self, path: Path) -> str:
        """What a field holds, as it was written."""
        if path in self.values and (text := self.values[path].text):
            return shown(text)
        try:
            return shown(as_yaml(value_at(self.value, path)))
        except (KeyError, IndexError):
            return "nothing"

    def lines(self) -> list[str]:
        """Every problem as one line, sorted by place."""
        ordered = sorted(self.problems, key=lambda each: each[0].order)
        return list(dict.fromkeys(f"{p.label}: {line}" for p, line in ordered))
