"""What makes two runs one experiment, and what differs where they are not."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr

from kresnet.documents import Fields, Flag, Integer
from kresnet.spec import CHANGEABLE, Spec, differing_fields, recipe_digest

Seed = Annotated[Integer, Field(ge=0, lt=2**63)]


class Identity(Fields):
    """What a result follows from, but for the bits that a machine decides.

    A field that is `None` is not known, or left open, and is not compared.

    Attributes:
        recipe: Digest of the spec without the fields that may change.
        seed: The seed of initial weights, order and draws.
        data: The fingerprint of the data set that is trained on.
        precision: "bfloat16" for convolutions in it, else that of all numbers.
        beginning: What the run begins with; `None` for weights drawn from the
            seed.
    """

    recipe: str
    seed: Seed | None = None
    data: str | None = None
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    beginning: "Beginning | None" = None

    _spec: Spec | None = PrivateAttr(None)

    @classmethod
    def of(
        cls, spec: Spec, seed: int, data: str | None = None, **more
    ) -> "Identity":
        """The identity of a run of a spec; `more` are further fields."""
        identity = cls(recipe=recipe_digest(spec), seed=seed, data=data, **more)
        return identity.with_spec(spec)

    def with_spec(self, spec: Spec) -> "Identity":
        """A copy that knows the spec of its recipe, and so names its fields."""
        known = self.model_copy()
        known._spec = spec
        return known

    def with_data(self, data: str) -> "Identity":
        """A copy that knows its data."""
        return self.model_copy(update={"data": data})

    @property
    def of_any_seed(self) -> "Identity":
        """A copy for runs that are averaged: no seed in it is known."""
        return self.model_copy(
            update={
                "seed": None,
                "beginning": self.beginning and self.beginning.of_any_seed,
            }
        )

    @property
    def digest(self) -> str:
        """SHA-256 of all fields that do not have their default."""
        fields = self.model_dump(mode="json", exclude_defaults=True)
        return hashlib.sha256(
            json.dumps(fields, sort_keys=True).encode()
        ).hexdigest()

    def differences(self, other: "Identity") -> list[str]:
        """Names what differs; empty where both are of one experiment.

        Returns:
            Lines such as "seed: 0 -> 1", this one's value before the other's.
        """
        lines = _other_recipe(self, other)
        for name, new in (
            ("seed", other.seed),
            ("data", other.data),
            ("precision", other.precision),
        ):
            old = getattr(self, name)
            if None not in (old, new) and old != new:
                lines.append(f"{name}: {_short(old)} -> {_short(new)}")
        return lines + _other_beginning(self.beginning, other.beginning)


class Beginning(Fields):
    """The trained network that a run begins with.

    Attributes:
        source: The identity of its run; `None` for another program's.
        weights: SHA-256 of its weights; `None` if not known or left open.
        kept_transforms: Whether the transforms' statistics are its own, too,
            though the run has images of its own.
    """

    source: Identity | None = None
    weights: str | None = None
    kept_transforms: Flag = False

    @property
    def of_any_seed(self) -> "Beginning":
        """A copy for runs that are averaged; weights from elsewhere stay."""
        if self.source is None:
            return self
        kept = self.kept_transforms
        return Beginning(source=self.source.of_any_seed, kept_transforms=kept)


def _other_recipe(old: Identity, new: Identity) -> list[str]:
    if old.recipe == new.recipe:
        return []
    if old._spec is None or new._spec is None:
        return ["the spec (of one of them only the digest is known)"]
    return [
        line
        for line in differing_fields(old._spec, new._spec)
        if line.partition(": ")[0] not in CHANGEABLE
    ]


def _other_beginning(old: Beginning | None, new: Beginning | None) -> list[str]:
    name = "begins with (--deepen, --begin-with): "
    if old is None and new is None:
        return []
    if old is None or new is None or None not in (old.weights, new.weights):
        ends = [
            f"weights {_short(x.weights)}" if x else "none" for x in (old, new)
        ]
        lines = [f"{ends[0]} -> {ends[1]}"] if ends[0] != ends[1] else []
    elif old.source is None or new.source is None:
        same = old.source is new.source
        lines = [] if same else ["another program's weights, or not"]
    else:
        lines = old.source.differences(new.source)
    if old and new and old.kept_transforms != new.kept_transforms:
        ends = ["kept" if x.kept_transforms else "adapted" for x in (old, new)]
        lines.append(f"transforms {ends[0]} -> {ends[1]}")
    return [name + line for line in lines]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 64 else f"{text[:12]}…"
