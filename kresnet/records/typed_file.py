"""A JSON file and the pydantic model that says what stands in it."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from kresnet.documents import Document, Place, validated
from kresnet.errors import BadDataError, SpecError, read_error
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
    """Reads values of JSON; `None` where there is no file."""
    try:
        content = read_json(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise read_error(file, error) from error
    except ValueError as error:
        raise BadDataError(f"{file}: not JSON: {error}") from error
    return content if content is not None else {}  # null, which is no record


def checked(content: Any, model: type[Model], label: str) -> Model:
    """Values of JSON as a model; BadDataError's lines begin with the label."""
    document = Document(label, content, {(): Place((0, 0, 0), label)})
    try:
        return validated(document, model)
    except SpecError as error:
        raise BadDataError(*error.args) from error


def as_json(content: BaseModel) -> str:
    """The text of a file; what is `None` is left out."""
    fields = content.model_dump(mode="json", exclude_none=True)
    return json.dumps(fields, indent=2) + "\n"
