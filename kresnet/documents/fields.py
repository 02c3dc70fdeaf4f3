"""What every mapping of a document has in common: kinds, words, checks."""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Strict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from kresnet.documents.problems import Problem

# Strict: true is not 1, "3" is not 3 and 3.0 is not 3. An integer is a number.
Integer = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]

Check = Callable[[Any], Iterator[Problem]]


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
