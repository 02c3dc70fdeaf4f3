"""PyYAML's parser, with every syntax error as one exception.

The parser yields events and builds nothing, so what costs too much can be
refused as it comes.
"""

from collections.abc import Iterator

import yaml

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
    _refuse_control_characters(text)
    stream = (yaml.StreamStartEvent, yaml.StreamEndEvent)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if not isinstance(event, stream):
                yield event
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = _wording(error, text, mark.line, mark.column)
        raise NotYAMLError(message, mark.line, mark.column) from None


def _refuse_control_characters(text: str) -> None:
    """YAML has no NUL and no other control characters."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start())
        column = found.start() - text.rfind("\n", 0, found.start()) - 1
        code = ord(found.group())
        raise NotYAMLError(f"character U+{code:04X}", line, column)


def _wording(
    error: yaml.MarkedYAMLError, text: str, line: int, column: int
) -> str:
    """Says what is wrong with the syntax."""
    at_fault = "".join(text.splitlines()[line : line + 1])
    if at_fault[column : column + 1] == "\t":
        return "a tab; indent with spaces"
    return ", ".join(filter(None, (error.context, error.problem)))
