"""A view of a spec that has mistakes: what is right can be read."""

from collections.abc import Iterator
from typing import Any

from kresnet.documents import Path
from kresnet.documents.checks import MissingFieldError
from kresnet.spec.schema import Spec
from kresnet.spec.shapes import Shape, shape_of

_MISSING = object()


class Partial:
    """Looks like a model of the schema.

    Reading a field that is missing or wrong raises `MissingFieldError`; one
    that the schema does not have, `AttributeError`, as usual.
    """

    def __init__(self, fields: dict[str, Any]):
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        if name not in self._fields:
            raise AttributeError(name)
        if self._fields[name] is _MISSING:
            raise MissingFieldError(name)
        return self._fields[name]


class _Unknown(Partial):
    """A mapping of which not even the kind is known."""

    def __getattr__(self, name: str) -> Any:
        raise MissingFieldError(name)


class _PartialList:
    """A list whose entries can be read up to the first wrong one."""

    __hash__ = None

    def __init__(self, entries: tuple):
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator:
        for entry in self._entries:
            if entry is _MISSING:
                raise MissingFieldError
            yield entry

    def __getitem__(self, key: Any) -> Any:
        raise MissingFieldError

    def __eq__(self, other: object) -> bool:
        raise MissingFieldError


def partial_spec(value: Any, wrong: set[Path]) -> Partial:
    """Makes the view.

    Args:
        value: The raw value of the whole spec.
        wrong: Paths of the values that the schema refused.
    """
    view = _view(shape_of(Spec), value, (), wrong)
    return _Unknown({}) if view is _MISSING else view


def _view(shape: Shape, value: Any, path: Path, wrong: set[Path]) -> Any:
    if path in wrong:
        return _MISSING
    if shape.discriminator and isinstance(value, dict):
        tag = value.get(shape.discriminator)
        shape = shape.member(tag)
        if shape is None:
            return _Unknown({})
    if shape.model and isinstance(value, dict):
        fields = {}
        for name, info in shape.model.model_fields.items():
            if name in value:
                fields[name] = _view(
                    shape.child(name), value[name], (*path, name), wrong
                )
            else:
                fields[name] = _MISSING if info.is_required() else info.default
        return Partial(fields)
    if shape.is_list and isinstance(value, list):
        entries = tuple(
            _view(shape.child(i), entry, (*path, i), wrong)
            for i, entry in enumerate(value)
        )
        return _PartialList(entries) if _MISSING in entries else entries
    return value
