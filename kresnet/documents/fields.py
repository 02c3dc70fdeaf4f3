"""What every part of a spec has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Strict

# Strict: true is not 1, "3" is not 3 and 3.0 is not 3. An integer is a number.
Integer = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]


class Expected:
    """Says what a field takes, where its type alone reads badly.

    Used as `Annotated[type, Expected("…")]`; the words follow "must be".

    Args:
        words: String, such as "a list of 3 integers".
    """

    def __init__(self, words: str):
        self.words = words


class Fields(BaseModel):
    """A mapping of a spec: frozen, no unknown fields, finite numbers only."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )
