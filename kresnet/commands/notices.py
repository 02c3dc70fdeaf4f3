"""What a command says beside its result."""

import sys


def say(message: object) -> None:
    """Prints what the user should know to standard error."""
    print(message, file=sys.stderr)
