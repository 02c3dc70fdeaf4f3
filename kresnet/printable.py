"""Text that came from outside, made safe to show."""


def printable(text: object, keep: str = "") -> str:
    r"""Text in which everything that does not print is written as an escape.

    A terminal obeys an escape sequence, a line break forges a line, other
    characters are invisible or turn the direction of writing: they become
    `\x1b`, `\n`, `\u202e`. A byte of a file name that is no text becomes
    `\udcff`, after which such a name can be written anywhere. Characters to
    `keep` stay although they do not print.
    """
    return "".join(
        each if each.isprintable() or each in keep else ascii(each)[1:-1]
        for each in str(text)
    )


def is_utf8(path: object) -> bool:
    """Whether the name of a file is text, as not all bytes are."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
