"""Reads YAML safely: a subset of it, with the place of every value.

PyYAML's parser yields events and builds nothing. Anchors, aliases, merge keys,
tags, duplicate keys, further documents and deep nesting are refused as their
events come, before they can cost anything.

An unquoted scalar means what the YAML 1.2 core schema says, a little stricter.
PyYAML follows YAML 1.1, where `1e-4` is a string, `016` is 14, `12:30` is 750
and `no` is false. Here `1e-4` is a number and the others are strings; numbers
with a leading zero, octal and hexadecimal numbers are strings too.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from kresnet.documents.characters import (
    REFUSED,
    named,
    odd_character,
    place_in,
    stumbling_block,
    without_odd_characters,
)
from kresnet.documents.document import Document, Place
from kresnet.documents.fields import Path, field_name, shown

LONGEST_FILE = 64 * 1024  # bytes; a spec takes about one thousand
DEEPEST = 20  # a spec nests four levels
TOO_DEEP = f"nested deeper than {DEEPEST} levels"
MOST_VALUES = 2_000  # a spec holds about fifty
# Longer numbers are mistakes, and Python converts long integers slowly.
LONGEST_NUMBER = 100

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEY = "?"  # stands in a path for a key that is being read or was refused
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class UnreadableError(Exception):
    """The text cannot be read from a line and a column on, from 0 each."""

    def __init__(self, message: str, line: int, column: int):
        super().__init__(message)
        self.line = line
        self.column = column


def read_yaml(
    text: str, label: str, order: tuple[int, int, int] | None = None
) -> Document:
    """Reads one YAML document; where it is not YAML, `()` is an unusable path.

    Messages cite the label with line and column; or, with the `order` of an
    override among the others, the label as it stands.
    """
    document = Document(label)
    reader = _Reader(document, order)
    try:
        reader.read(text)
    except UnreadableError as error:
        place = reader.place(error.line, error.column)
        if all(known.order != place.order for known, _ in document.problems):
            document.problems.append((place, str(error)))
        document.unusable.add(())
    document.values.setdefault((), reader.place(0, 0, "nothing"))
    return document


class _Reader:
    """Builds a document from the parser's events."""

    def __init__(self, document: Document, order: tuple[int, int, int] | None):
        self.document = document
        self.order = order
        self.count = 0

    def place(self, line: int, column: int, text: str = "") -> Place:
        """The place of a line and a column that count from 0."""
        if self.order is not None:
            return Place(self.order, self.document.label, text)
        line, column = line + 1, column + 1
        label = f"{self.document.label}:{line}:{column}"
        return Place((0, line, column), label, text)

    def refuse(self, mark: Any, message: str, path: Path = ()) -> None:
        """Keeps a problem of a field, or of the document, and goes on."""
        path = path[: path.index(_KEY)] if _KEY in path else path
        message = f"{field_name(path)}: {message}" if path else message
        place = self.place(mark.line, mark.column)
        self.document.problems.append((place, message))

    def read(self, text: str) -> None:
        """Reads the document and makes sure that it is the only one."""
        self.text = text
        events = _events(text)
        start: Any = next(events, None)
        if start is None:
            return
        if start.version or start.tags:
            self.refuse(start.start_mark, "YAML directives are not allowed")
        self.document.value = self.node(next(events), events, ())
        next(events)  # the document's end
        second: Any = next(events, None)
        if second is not None:
            mark = second.start_mark
            raise UnreadableError(
                "a second document; a file holds one", mark.line, mark.column
            )

    def node(self, event: Any, events: Iterator, path: Path) -> Any:
        """Reads the value that begins with an event."""
        mark = event.start_mark
        self.count += 1
        if self.count > MOST_VALUES:
            message = f"more than {MOST_VALUES:,} values"
            raise UnreadableError(message, mark.line, mark.column)
        if len(path) > DEEPEST:
            raise UnreadableError(TOO_DEEP, mark.line, mark.column)
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

    def scalar(self, event: Any, path: Path) -> Any:
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

    def refuse_odd_character(self, event: Any, path: Path) -> None:
        """Names the first odd character of a scalar, where it stands."""
        if _KEY in path:  # it may have hidden the colon
            self.document.unusable.add(path[: path.index(_KEY)])
        start = event.start_mark.index
        index = start + odd_character(self.text[start:])
        place = self.place(*place_in(self.text, index))
        message = named(self.text[index])
        self.document.problems.append((place, message))

    def sequence(self, events: Iterator, path: Path) -> list:
        """Reads the entries of a list."""
        entries: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            entries.append(self.node(event, events, (*path, len(entries))))
        return entries

    def mapping(self, events: Iterator, path: Path) -> dict:
        """Reads the entries of a mapping, whose keys must be distinct."""
        entries: dict[str, Any] = {}
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


def plain_scalar(text: str) -> bool | int | float | str | None:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return float(text.replace(".", "").lower())
    return text


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events, without those of the stream."""
    refused = REFUSED.search(text)
    if refused is not None:
        place = place_in(text, refused.start())
        raise UnreadableError(f"not YAML: {named(refused.group())}", *place)
    stream = (yaml.StreamStartEvent, yaml.StreamEndEvent)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if not isinstance(event, stream):
                yield event
    except yaml.MarkedYAMLError as error:
        raise _worded(error, text) from None


def _worded(error: yaml.MarkedYAMLError, text: str) -> UnreadableError:
    """Says what is wrong with the syntax, and where."""
    mark: Any = error.problem_mark or error.context_mark
    if "nesting depth" in (error.problem or ""):
        # The parser reads ahead: its own limit may be met before ours.
        return UnreadableError(TOO_DEEP, mark.line, mark.column)
    place = stumbling_block(text, mark.line)
    if place is not None:
        character = text.split("\n")[place[0]][place[1]]
        return UnreadableError(f"not YAML: {named(character)}", *place)
    why = ", ".join(filter(None, (error.context, error.problem)))
    return UnreadableError(f"not YAML: {why}", mark.line, mark.column)
