"""Reads YAML safely: the subset a spec needs, with the place of every value.

Built on PyYAML's parser, which yields events and builds nothing: anchors,
aliases, merge keys, tags, duplicate keys, further documents and deep nesting
are refused as they come, before they can cost anything.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from kresnet.spec.document import Document, Place
from kresnet.spec.problems import Path, field_name, shown
from kresnet.spec.scalars import LONGEST_NUMBER, plain_scalar
from kresnet.spec.yaml_events import (
    NotYAMLError,
    named,
    odd_character,
    place_in,
    without_odd_characters,
    yaml_events,
)

LONGEST_FILE = 64 * 1024  # bytes; a spec takes about one thousand
DEEPEST = 20  # a spec nests four levels
MOST_VALUES = 2_000  # a spec holds about fifty

_KEY = "?"  # stands in a path for a key that is being read or was refused


class UnreadableError(Exception):
    """The rest of the text cannot be read; the document holds why."""


def read_yaml(
    text: str, label: str, order: tuple[int, int, int] | None = None
) -> Document:
    """Reads one YAML document.

    Args:
        text: The text, at most `LONGEST_FILE` characters.
        label: What messages cite: a path, to which line and column are added,
            or, with `order`, an override as it stands.
        order: Place of an override among the others; `None` for a file.

    Returns:
        The document with its problems; after a syntax error, `()` is among
        its unusable paths.
    """
    document = Document()
    reader = _Reader(document, label, order)
    try:
        reader.read(text)
    except NotYAMLError as error:
        place = reader.place(error.line, error.column)
        if all(known.order != place.order for known, _ in document.problems):
            document.problems.append((place, str(error)))
        document.unusable.add(())
    except UnreadableError:
        document.unusable.add(())
    document.values.setdefault((), reader.place(0, 0, "nothing"))
    return document


class _Reader:
    """Builds a document from the parser's events."""

    def __init__(self, document, label, order):
        self.document = document
        self.label = label
        self.order = order
        self.count = 0

    def place(self, line: int, column: int, text: str = "") -> Place:
        """A place, from a line and a column that count from 0."""
        if self.order is not None:
            return Place(self.order, self.label, text)
        line, column = line + 1, column + 1
        label = f"{self.label}:{line}:{column}"
        return Place((0, line, column), label, text)

    def refuse(self, mark: Any, message: str, path: Path = ()) -> None:
        """Keeps a problem of a field, or of the document, and goes on."""
        path = path[: path.index(_KEY)] if _KEY in path else path
        message = f"{field_name(path)}: {message}" if path else message
        place = self.place(mark.line, mark.column)
        self.document.problems.append((place, message))

    def stop(self, mark: Any, message: str) -> UnreadableError:
        """Keeps a problem that makes the rest unreadable."""
        self.refuse(mark, message)
        return UnreadableError(message)

    def read(self, text: str) -> None:
        """Reads the document and makes sure that it is the only one."""
        self.text = text
        events = yaml_events(text)
        start = next(events, None)
        if start is None:
            return
        if start.version or start.tags:
            self.refuse(start.start_mark, "YAML directives are not allowed")
        self.document.value = self.node(next(events), events, ())
        next(events)  # the document's end
        second = next(events, None)
        if second is not None:
            raise self.stop(
                second.start_mark, "a second document; a spec is one document"
            )

    def node(self, event: Any, events: Iterator, path: Path) -> Any:
        """Reads the value that begins with an event."""
        mark = event.start_mark
        self.count += 1
        if self.count > MOST_VALUES:
            raise self.stop(mark, f"more than {MOST_VALUES:,} values")
        if len(path) > DEEPEST:
            raise self.stop(mark, f"nested deeper than {DEEPEST} levels")
        self.document.values[path] = self.place(mark.line, mark.column)
        if isinstance(event, yaml.AliasEvent):
            name = shown(event.anchor)
            self.refuse(mark, f"aliases (*{name}) are not allowed", path)
            self.document.unusable.add(path)
            return None
        if event.anchor is not None:
            name = shown(event.anchor)
            self.refuse(mark, f"anchors (&{name}) are not allowed", path)
        if event.tag is not None:
            tag = shown(event.tag)
            self.refuse(mark, f"tags ({tag}) are not allowed", path)
            self.document.unusable.add(path)
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(events, path)
        return self.mapping(events, path)

    def scalar(self, event: yaml.ScalarEvent, path: Path) -> Any:
        """Reads a scalar; only unquoted ones can be other than strings."""
        mark, text = event.start_mark, event.value
        written = repr(text) if event.style else text
        self.document.values[path] = self.place(
            mark.line, mark.column, written or "nothing"
        )
        if event.style:  # "" or None for an unquoted one
            return text
        if odd_character(text) is not None:
            self.refuse_odd_character(event, path)
            return plain_scalar(without_odd_characters(text))
        if len(text) > LONGEST_NUMBER and text.lstrip("+-.").isdigit():
            self.refuse(mark, f"a number of {len(text):,} digits", path)
            self.document.unusable.add(path)
        return plain_scalar(text)

    def refuse_odd_character(self, event: yaml.ScalarEvent, path: Path) -> None:
        """Names the first odd character of a scalar, where it stands.

        Of a key it may have hidden the colon: what the mapping says is unknown.
        """
        if _KEY in path:
            self.document.unusable.add(path[: path.index(_KEY)])
        start = event.start_mark.index
        index = start + odd_character(self.text[start:])
        place = self.place(*place_in(self.text, index))
        message = named(self.text[index])
        self.document.problems.append((place, message))

    def sequence(self, events: Iterator, path: Path) -> list:
        """Reads the entries of a list."""
        entries = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            entries.append(self.node(event, events, (*path, len(entries))))
        return entries

    def mapping(self, events: Iterator, path: Path) -> dict:
        """Reads the entries of a mapping, whose keys must be distinct."""
        entries = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            mark, scratch = event.start_mark, (*path, _KEY)
            key = self.node(event, events, scratch)
            if refusal := self.key_refusal(key, event, entries, path):
                self.refuse(mark, refusal, path)
                self.node(next(events), events, scratch)
            else:
                step = (*path, key)
                self.document.keys[step] = self.place(mark.line, mark.column)
                entries[key] = self.node(next(events), events, step)
        return entries

    def key_refusal(
        self, key: Any, event: Any, entries: dict, path: Path
    ) -> str | None:
        """Says why a key is refused, if it is."""
        if not isinstance(key, str):
            return "a key must be a string"
        if key == "<<" and not event.style:
            return "merge keys (<<) are not allowed"
        if key not in entries:
            return None
        if self.order is not None:
            return f"duplicate key {shown(key)}"
        first = self.document.keys[(*path, key)].order[1]
        second = event.start_mark.line + 1
        return f"duplicate key {shown(key)}, on lines {first} and {second}"
