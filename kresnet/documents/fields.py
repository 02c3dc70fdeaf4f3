"""What the models of documents are made of: kinds of fields, and problems."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Strict,
    ValidationError,
    WrapValidator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

# Strict: true is not 1, "3" is not 3 and 3.0 is not 3. An integer is a number.
Integer = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
# Of a Literal of integers, which by itself takes true for 1 and 3.0 for 3.
Exact = WrapValidator(lambda x, take: take(x if type(x) is int else None))


class Expected:
    """Says what a field takes, where its type alone reads badly.

    Used as `Annotated[type, Expected("…")]`. The JSON schema has the words as
    well, where editors look for them.

    Args:
        words: What follows "must be", such as "a list of 3 integers".
    """

    def __init__(self, words: str):
        self.words = words

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        """Adds the words to what pydantic writes."""
        return handler(core_schema) | {"errorMessage": f"must be {self.words}"}


class Fields(BaseModel):
    """A mapping of a document: frozen, known fields, finite numbers only."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: The path of the field at fault, such as ("model", "stages", 1).
        message: What is wrong, "must be …"; the field's name is put before.
        also: The paths of the other fields that a disagreement involves.
        received: Whether to close with what the field holds.
        key: Whether the name, not the value, is at fault.
    """

    path: Path
    message: str
    also: tuple[Path, ...] = ()
    received: bool = True
    key: bool = False

    def under(self, place: Path) -> "Problem":
        """A problem of the part at a place, as one of the whole."""
        return replace(
            self,
            path=(*place, *self.path),
            also=tuple((*place, *path) for path in self.also),
        )


Check = Callable[[Any], Iterator[Problem]]


def raise_problems(checks: Iterable[Check], part: BaseModel) -> None:
    """Runs checks of what must hold between the fields of a part.

    A model calls it in a validator of mode "after": then every field is of the
    right kind. What is raised stays as it is in the errors of a larger model.

    Args:
        checks: Functions that yield a problem for each mistake they find, with
            paths that begin in the part.
        part: What is checked.

    Raises:
        pydantic.ValidationError: There are problems.
    """
    errors = []
    for problem in (each for check in checks for each in check(part)):
        context = {"message": problem.message, "problem": problem}
        kind = PydanticCustomError("problem", "{message}", context)
        errors.append(InitErrorDetails(type=kind, loc=problem.path, input=None))
    if errors:
        raise ValidationError.from_exception_data(
            type(part).__name__, errors, hide_input=True
        )


def value_at(value: Any, path: Path) -> Any:
    """The part of a value at a path."""
    for step in path:
        value = value[step]
    return value


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
    """Text that is safe and short enough to be put in a message."""
    text = str(value)
    if not text.isprintable():
        text = repr(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def as_yaml(value: Any) -> str:
    """Writes a value as it would stand in a file, on one line."""
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
