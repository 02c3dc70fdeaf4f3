"""What the schema says about the value at a place: its type, bounds, parts."""

import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kresnet.documents import Expected


@dataclass(frozen=True)
class Shape:
    """A type of the schema without its wrappings.

    Attributes:
        annotation: The type; for a choice of mappings a tuple of models.
        metadata: Bounds and wording.
        optional: Whether null is allowed.
        discriminator: The field that chooses between mappings, if any.
    """

    annotation: Any
    metadata: tuple = ()
    optional: bool = False
    discriminator: str | None = None

    @property
    def model(self) -> type[BaseModel] | None:
        """The model of a mapping."""
        kind = self.annotation
        is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
        return kind if is_model else None

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return typing.get_origin(self.annotation) is tuple

    @property
    def fixed_length(self) -> bool:
        """Whether the value is a list whose length is given."""
        return self.is_list and ... not in typing.get_args(self.annotation)

    @property
    def options(self) -> tuple:
        """The values of a `Literal`; for a choice of mappings their tags."""
        if self.discriminator:
            return tuple(
                option
                for model in self.annotation
                for option in shape_of_field(model, self.discriminator).options
            )
        if typing.get_origin(self.annotation) is Literal:
            return typing.get_args(self.annotation)
        return ()

    def member(self, tag: Any) -> "Shape | None":
        """The mapping that a discriminator's value chooses."""
        for model in self.annotation:
            if tag in shape_of_field(model, self.discriminator).options:
                return Shape(model)
        return None

    def child(self, step: str | int) -> "Shape | None":
        """The shape of a field or of an entry; None if there is none."""
        if self.model and step in self.model.model_fields:
            return shape_of_field(self.model, step)
        if self.is_list and isinstance(step, int):
            entries = typing.get_args(self.annotation)
            if len(entries) == 2 and entries[1] is ...:
                return shape_of(entries[0])
            return shape_of(entries[step]) if step < len(entries) else None
        return None

    def expected(self) -> str:
        """Says what is allowed; the words follow "must be"."""
        words = next(
            (m.words for m in self.metadata if isinstance(m, Expected)), None
        )
        if words is None and self.options and not self.discriminator:
            words = either(self.options)
        elif words is None and self.annotation is bool:
            words = "true or false"
        elif words is None and self.annotation in (int, float):
            words = _range(self.annotation, self.metadata)
        elif words is None:
            words = "a mapping"
        return f"{words} or null" if self.optional else words


def shape_of_field(model: type[BaseModel], name: str) -> Shape:
    """Returns the shape of a model's field."""
    info = model.model_fields[name]
    return shape_of(info.annotation, info)


def shape_of(annotation: Any, info: FieldInfo | None = None) -> Shape:
    """Unwraps `Annotated`, `Optional` and choices of mappings."""
    metadata = list(info.metadata) if info else []
    discriminator = info.discriminator if info else None
    optional = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            annotation, *extras = typing.get_args(annotation)
            for extra in extras:
                if isinstance(extra, FieldInfo):
                    metadata += extra.metadata
                    discriminator = extra.discriminator or discriminator
                else:
                    metadata.append(extra)
        elif origin in (typing.Union, types.UnionType):
            members = typing.get_args(annotation)
            kept = tuple(m for m in members if m is not type(None))
            optional = optional or len(kept) < len(members)
            annotation = kept if len(kept) > 1 else kept[0]
        else:
            break
    return Shape(annotation, tuple(metadata), optional, discriminator)


def either(options: tuple) -> str:
    """Writes "A, B or C"."""
    *most, last = map(str, options)
    return f"{', '.join(most)} or {last}" if most else last


def _range(kind: type, metadata: tuple) -> str:
    """Writes "an integer from 1 to 8", "a number above 0 and at most 1"."""
    bounds = {
        name: getattr(bound, name)
        for bound in metadata
        for name in ("ge", "gt", "le", "lt")
        if hasattr(bound, name)
    }
    low, high = bounds.get("ge"), bounds.get("le")
    if kind is int and high == low + 1:
        return f"{low} or {high}"
    name = "an integer" if kind is int else "a number"
    if low is not None and high is not None:
        return f"{name} from {low:,} to {high:,}"
    if low is not None:
        return f"{name} from {low:,} to below {bounds['lt']:,}"
    end = f"below {bounds['lt']:,}" if high is None else f"at most {high:,}"
    return f"{name} above {bounds['gt']:,} and {end}"
