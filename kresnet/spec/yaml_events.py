"""PyYAML's parser, with every syntax error as one exception.

The parser yields events and builds nothing, so what costs too much can be
refused as it comes.
"""

import re
import unicodedata
from collections.abc import Iterator

import yaml

# What YAML itself refuses, what it takes for a line's end where an editor shows
# none or another one, and a mark of byte order, which it passes over.
_REFUSED = re.compile(
    f"{yaml.reader.Reader.NON_PRINTABLE.pattern}|[\x85\u2028\u2029\ufeff]|\r(?!\n)"
)
# Letters and marks by Unicode's tables, but nothing to be seen.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Parts of a line in which any character may stand.
_FREE = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|(?<!\S)#.*')

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotYAMLError(Exception):
    """The text is not YAML.

    Attributes:
        line: Line of the mistake, from 0.
        column: Column of the mistake, from 0.
    """

    def __init__(self, message: str, line: int, column: int):
        super().__init__(f"not YAML: {message}")
        self.line = line
        self.column = column


def yaml_events(text: str) -> Iterator[yaml.Event]:
    """Yields the parser's events, without those of the stream.

    Raises:
        NotYAMLError: If the text is not YAML, once the parser gets there.
    """
    refused = _REFUSED.search(text)
    if refused is not None:
        place = place_in(text, refused.start())
        raise NotYAMLError(named(refused.group()), *place)
    stream = (yaml.StreamStartEvent, yaml.StreamEndEvent)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if not isinstance(event, stream):
                yield event
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _worded(error, text, mark.line, mark.column) from None


def odd_character(text: str) -> int | None:
    """Where the first character is that is no plain space and cannot be seen.

    Such as a tab, a no-break space or a mark of byte order, which come with
    text that was copied from elsewhere.
    """
    for place, each in enumerate(text):
        if each in "\r\n" or (each.isprintable() and each not in _UNSEEN):
            continue
        return place
    return None


def without_odd_characters(text: str) -> str:
    """The text that was probably meant."""
    while (place := odd_character(text)) is not None:
        text = text[:place] + text[place + 1 :]
    return text


def place_in(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, both from 0."""
    before = text[:index]
    return before.count("\n"), index - before.rfind("\n") - 1


def named(character: str) -> str:
    """Names an odd character, and says what is allowed."""
    if character == "\t":
        return "a tab; indent with spaces"
    name = unicodedata.name(character, "").lower()
    return (
        f"character U+{ord(character):04X}{name and f' ({name})'}; allowed are"
        " plain spaces and what can be seen"
    )


def _worded(
    error: yaml.MarkedYAMLError, text: str, line: int, column: int
) -> NotYAMLError:
    """Says what is wrong with the syntax, and where.

    An odd character is read as a part of its word, and the parser stumbles
    there or in the next line that is not empty.
    """
    lines = [_FREE.sub(_blank, each) for each in text.split("\n")]
    before = [i for i in range(min(line, len(lines))) if lines[i].strip()]
    for i in (*before[-1:], line):
        place = odd_character(lines[i]) if i < len(lines) else None
        if place is not None:
            return NotYAMLError(named(lines[i][place]), i, place)
    message = ", ".join(filter(None, (error.context, error.problem)))
    return NotYAMLError(message, line, column)


def _blank(found: re.Match) -> str:
    return " " * len(found.group())
