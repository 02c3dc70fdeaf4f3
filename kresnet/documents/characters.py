"""Characters in YAML that a reader of the text does not see.

A tab, a no-break space or a mark of byte order comes with text that was copied
from elsewhere; YAML takes most of them for a part of a word.
"""

import re
import unicodedata

import yaml

# What YAML itself refuses, what it takes for a line's end where an editor shows
# none or another one, and a mark of byte order, which it passes over.
REFUSED = re.compile(
    f"{yaml.reader.Reader.NON_PRINTABLE.pattern}|[\x85\u2028\u2029\ufeff]|\r(?!\n)"
)
# Letters and marks by Unicode's tables, but nothing to be seen.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Parts of a line in which any character may stand.
_FREE = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|(?<!\S)#.*')


def odd_character(text: str) -> int | None:
    """The place of the first character that is not seen and no plain space."""
    for place, each in enumerate(text):
        if each not in "\r\n" and (not each.isprintable() or each in _UNSEEN):
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


def stumbling_block(text: str, line: int) -> tuple[int, int] | None:
    """Line and column of the odd character that stopped the parser."""
    lines = [
        _FREE.sub(lambda free: " " * len(free.group()), each)
        for each in text.split("\n")
    ]
    # It was read as a part of its word: the parser stops there or in the next
    # line that is not empty.
    before = [i for i in range(min(line, len(lines))) if lines[i].strip()]
    for i in (*before[-1:], line):
        place = odd_character(lines[i]) if i < len(lines) else None
        if place is not None:
            return i, place
    return None
