"""A JSON file and the pydantic model that says what stands in it."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kresnet.documents import Document, Place, validated
from kresnet.errors import BadDataError, InputMissingError, SpecError
from kresnet.files import read_json

Model = TypeVar("Model", bound=BaseModel)


def read_typed(file: Path, model: type[Model]) -> Model | None:
    """Reads a file as a model; `None` where there is none.

    Raises:
        InputMissingError: It cannot be read.
        BadDataError: It is not JSON, or a field is wrong: a line for each, as
            "run.json: identity.seed: must be …. Received: …".
    """
    content = read_content(file)
    return None if content is None else checked(content, model, str(file))


def read_content(file: Path) -> Any:
    """Reads values of JSON; `None` where there is no file.

    Raises:
        InputMissingError: It cannot be read.
        BadDataError: It is not JSON.
    """
    try:
        content = read_json(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputMissingError(
            f"{file}: cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise BadDataError(f"{file}: not JSON: {error}") from error
    return content if content is not None else {}  # null, which is no record


def checked(content: Any, model: type[Model], label: str) -> Model:
    """Returns what a file holds as its model.

    Args:
        content: Values of JSON.
        model: What they should be.
        label: What messages call the file.

    Raises:
        BadDataError: As of `read_typed`.
    """
    try:
        return model.model_validate(content)
    except ValidationError as wrong:
        places = {path: Place((0, 0, 0), label) for path in _paths(content)}
        try:
            return validated(Document(label, content, places), model)
        except SpecError as error:
            raise BadDataError(*error.args) from wrong


def as_json(content: BaseModel) -> str:
    """The text of a file; what is `None` is left out."""
    fields = content.model_dump(mode="json", exclude_none=True)
    return json.dumps(fields, indent=2) + "\n"


def _paths(value: Any) -> Iterator[tuple[str | int, ...]]:
    """The place of a value and of every part of it."""
    yield ()
    parts: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    for step, part in parts:
        yield from ((step, *path) for path in _paths(part))
