"""Checks a document with a pydantic model, and words what is wrong.

What a field takes is read from the JSON schema that pydantic writes.
"""

import difflib
import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kresnet.documents.document import Document
from kresnet.documents.fields import Path, Problem, value_at
from kresnet.errors import SpecError

_FOUND = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    type(None): "null",
    list: "a list",
    dict: "a mapping",
}
_KINDS = {
    "boolean": "true or false",
    "string": "a string",
    "array": "a list",
    "object": "a mapping",
}
_NULL = {"type": "null"}

Model = TypeVar("Model", bound=BaseModel)
Remark = Callable[[str | int, Any], str]


def _no_remark(field: str | int, holder: Any) -> str:
    return ""


def validated(
    document: Document, model: type[Model], remark: Remark = _no_remark
) -> Model:
    """Returns what a document holds.

    Args:
        document: As `read_document` returns it, perhaps with overrides.
        model: The pydantic model of the whole document.
        remark: Called with the name of a field whose value is refused and the
            mapping or list that holds it; returns what to add to the message.

    Raises:
        SpecError: Something is wrong: a line for each problem, as
            "path:line:column: field: what is wrong. Received: …".
    """
    valid: Model | None = None
    problems: list[Problem] = []
    if isinstance(document.value, dict):
        valid, problems = value_problems(document.value, model, remark)
    elif () not in document.unusable:
        problems = [Problem((), "expected a mapping of fields")]
    for problem in problems:
        if not any(  # else it follows from what was refused already
            path[: len(refused)] == refused
            for path in (problem.path, *problem.also)
            for refused in document.unusable
        ):
            document.report(problem)
    if document.problems or valid is None:
        raise SpecError(*document.lines())
    return valid


def value_problems(
    values: dict[str, Any], model: type[Model], remark: Remark = _no_remark
) -> tuple[Model | None, list[Problem]]:
    """Values as their model, or `None`; and what is wrong."""
    try:
        return model.model_validate(values), []
    except ValidationError as error:
        return None, _Wording(values, model, remark).problems(error)


class _Schema:
    """What a model's JSON schema says about the value at a place.

    Attributes:
        part: The part of the schema, without references.
        nullable: Whether null is allowed.
        tag: The field that tells the kinds of a mapping apart, if there are
            several.
        kinds: The schema of each of them, by the value of that field.
        options: The values that are allowed, where they can be listed.
        fields: The names of a mapping's fields.
    """

    def __init__(self, part: dict[str, Any], definitions: dict[str, Any]):
        choices = part.get("anyOf", [part])
        self.nullable = _NULL in choices
        part = next(choice for choice in choices if choice != _NULL)
        if "$ref" in part:
            part = definitions[part["$ref"].rpartition("/")[2]]
        self.part = part
        self.definitions = definitions
        self.tag = part.get("discriminator", {}).get("propertyName")
        self.kinds = {
            value: kind
            for kind in (_Schema(p, definitions) for p in part.get("oneOf", ()))
            for value in kind.child(self.tag).options
        }
        self.options: list[str] = part.get("enum") or list(self.kinds)
        if "const" in part:
            self.options = [part["const"]]
        self.fields = list(part.get("properties", ()))

    def child(self, step: str | int) -> "_Schema":
        """The schema of a field or an entry; empty if unknown."""
        if isinstance(step, int):
            entries = self.part.get("prefixItems", [])[step : step + 1]
            found = entries[0] if entries else self.part.get("items")
        else:
            others = self.part.get("additionalProperties")
            found = self.part.get("properties", {}).get(step, others)
        return _Schema(found or {}, self.definitions)

    def wanted(self) -> str:
        """Says what is allowed; the words follow "must be"."""
        kind = self.part.get("type", "object")
        if "errorMessage" in self.part:
            words = self.part["errorMessage"].removeprefix("must be ")
        elif self.options and not self.kinds:
            words = _listed(self.options)
        elif kind in ("integer", "number"):
            words = _range(self.part)
        else:
            words = _KINDS[kind]
        return f"{words} or null" if self.nullable else words


@functools.cache
def _schema_of(model: type[BaseModel]) -> _Schema:
    schema = model.model_json_schema()
    return _Schema(schema, schema.get("$defs", {}))


class _Wording:
    """Turns pydantic's errors about a value into problems."""

    def __init__(self, value: Any, model: type[BaseModel], remark: Remark):
        self.value = value
        self.model = model
        self.remark = remark
        self.misspelt: set[Path] = set()  # missing fields under other names

    def problems(self, error: ValidationError) -> list[Problem]:
        """A problem for each mistake."""
        found = [
            self._problem(each["type"], each["loc"], each.get("ctx", {}))
            for each in error.errors(include_url=False, include_input=False)
        ]
        # A misspelt field is one mistake, not an unknown and a missing field.
        return [p for p in found if p and p.path not in self.misspelt]

    def _problem(self, kind: str, loc: Path, context: dict) -> Problem | None:
        if kind == "problem":  # one of a check, whose paths are its model's
            problem = context["problem"]
            path, *_ = self._walk(loc[: len(loc) - len(problem.path)])
            return problem.under(path)
        path, schema, parent, choice = self._walk(loc)
        if kind == "extra_forbidden":
            return self._unknown(path, parent, choice)
        if kind == "missing" and isinstance(path[-1], int):
            # An entry is missing: the list has another length.
            path, schema, kind = path[:-1], parent, "length"
        if kind == "missing":
            return _missing(path, schema.wanted(), schema)
        if kind == "union_tag_not_found":
            return _missing((*path, schema.tag), _listed(schema.options))
        found = value_at(self.value, path)
        if kind == "too_short" and context.get("actual_length") != len(found):
            return None  # pydantic does not count entries that are wrong
        if kind == "union_tag_invalid":
            path, wanted = (*path, schema.tag), _listed(schema.options)
            found = found[schema.tag]
        else:
            wanted = schema.wanted()
        message = f"must be {wanted}"
        if kind in ("literal_error", "union_tag_invalid"):
            near = _nearest(str(found), schema.options)
            message += f"; did you mean {near}?" if near else ""
        elif kind.endswith("_type"):
            message += f", not {_FOUND[type(found)]}"
        holder = value_at(self.value, path[:-1])
        return Problem(path, message + self.remark(path[-1], holder))

    def _walk(self, loc: Path) -> tuple[Path, _Schema, _Schema, _Schema | None]:
        """Follows a location of pydantic's, which names the kinds taken.

        Returns the path, its schema, that of what holds it, and the choice of
        kinds that the holder is one of, if any.
        """
        schema = parent = _schema_of(self.model)
        path: Path = ()
        choice: _Schema | None = None
        taken: _Schema | None = None
        for step in loc:
            if schema.kinds and isinstance(step, str):
                taken, schema = schema, schema.kinds[step]
                continue
            path, parent, choice, taken = (*path, step), schema, taken, None
            schema = schema.child(step)
        return path, schema, parent, choice

    def _unknown(
        self, path: Path, parent: _Schema, choice: _Schema | None
    ) -> Problem:
        """Names the nearest field, or what would be understood."""
        name = str(path[-1])
        near = _nearest(name, parent.fields)
        if near and near not in value_at(self.value, path[:-1]):
            self.misspelt.add((*path[:-1], near))
        message = f"; did you mean {near}?" if near else ""
        if not near and choice is not None:
            having = [v for v, k in choice.kinds.items() if name in k.fields]
            own = parent.child(choice.tag).options[0]
            if having:
                message = (
                    f"; {choice.tag} {own} would ignore it, {choice.tag}"
                    f" {_listed(having)} has it"
                )
        if not message:
            message = f"; known here: {', '.join(parent.fields)}"
        return Problem(
            path, f"unknown field{message}", received=False, key=True
        )


def _missing(path: Path, wanted: str, schema: _Schema | None = None) -> Problem:
    """Says what a missing field takes."""
    if schema is not None and "required" in schema.part:
        having = f" with {_listed(schema.part['required'], 'and')}"
        null = ", or null" if schema.nullable else ""
        wanted = wanted.removesuffix(" or null") + having + null
    return Problem(path, f"missing; must be {wanted}", received=False)


def _nearest(name: str, names: Iterable) -> str | None:
    near = difflib.get_close_matches(name, map(str, names), n=1)
    return near[0] if near else None


def _listed(options: Iterable, last_word: str = "or") -> str:
    """Writes "A, B or C", or "A, B and C"."""
    *most, last = map(str, options)
    return f"{', '.join(most)} {last_word} {last}" if most else last


def _range(part: dict[str, Any]) -> str:
    """Writes "an integer from 1 to 8", "a number above 0 and at most 1"."""
    match part:
        case {"minimum": low, "maximum": high}:
            bounds = f" from {low:,} to {high:,}"
            if part["type"] == "integer" and high == low + 1:
                return f"{low} or {high}"
        case {"minimum": low, "exclusiveMaximum": high}:
            bounds = f" from {low:,} to below {high:,}"
        case {"exclusiveMinimum": low, "maximum": high}:
            bounds = f" above {low:,} and at most {high:,}"
        case {"exclusiveMinimum": low, "exclusiveMaximum": high}:
            bounds = f" above {low:,} and below {high:,}"
        case _:
            bounds = ""
    name = "an integer" if part["type"] == "integer" else "a number"
    return name + bounds
