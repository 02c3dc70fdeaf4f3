"""What a spec says in full: written, compared, and deepened."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import yaml

from kresnet.architecture import inventory
from kresnet.documents import Path, field_name, plain_scalar
from kresnet.spec.spec import Spec

# Fields that no weight depends on; they may change in the middle of a run.
CHANGEABLE = ("training.evaluate_every",)

_ABSENT = object()


class _Dumper(yaml.SafeDumper):
    """Writes YAML as the shipped specs are written.

    Strings that our loader would read as something else are quoted.
    """

    def increase_indent(self, flow=False, indentless=False):
        """Indents lists below their key."""
        return super().increase_indent(flow, False)


def _represent_string(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None if isinstance(plain_scalar(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_string)


def dump_spec(spec: Spec) -> str:
    """Returns a spec as YAML that `load_spec` reads back equal."""
    fields = spec.model_dump(mode="json")
    if spec.expect is None:
        del fields["expect"]
    # What a network does not have is not written.
    fields["model"] = spec.model.model_dump(mode="json", exclude_defaults=True)
    if spec.data.views:
        fields["data"]["views"] = spec.data.views.model_dump(
            mode="json", exclude_none=True
        )
    else:
        del fields["data"]["views"], fields["data"]["statistics"]
    training = fields["training"]
    for name in ("warm_up", "nesterov", "trained"):
        if not training[name]:
            del training[name]
    if spec.training.warm_up:
        training["warm_up"] = spec.training.warm_up.model_dump(
            mode="json", exclude_none=True
        )
        if spec.training.warm_up.iterations:
            for name in ("until_training_error", "over"):
                del training["warm_up"][name]
    return yaml.dump(
        fields, Dumper=_Dumper, sort_keys=False, default_flow_style=None
    )


def spec_digest(spec: Spec) -> str:
    """Returns the SHA-256 of everything in a spec but `expect`, in hex.

    Fields that have their default are left out, so that a field that is added
    later changes the digest of no spec that does not use it.
    """
    return _digest(_recipe(spec, exclude_defaults=True))


def recipe_digest(spec: Spec) -> str:
    """Returns the digest of a spec without the fields of `CHANGEABLE`.

    Runs of one seed whose specs share it come to the same weights.
    """
    recipe = _recipe(spec, exclude_defaults=True)
    for name in CHANGEABLE:
        part, field = name.split(".")
        recipe[part].pop(field, None)
    return _digest(recipe)


def differing_fields(old: Spec, new: Spec) -> list[str]:
    """Lists what differs between two specs, `expect` left out.

    Lines are such as "training.batch_size: 128 -> 64", in the spec's order;
    there are none exactly if the digests are equal.
    """
    return list(_differences(_recipe(old), _recipe(new), ()))


def _recipe(spec: Spec, *, exclude_defaults: bool = False) -> dict[str, Any]:
    return spec.model_dump(
        mode="json", exclude={"expect"}, exclude_defaults=exclude_defaults
    )


def _digest(recipe: dict[str, Any]) -> str:
    text = json.dumps(
        recipe, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _differences(old: Any, new: Any, path: Path) -> Iterator[str]:
    """Walks both recipes down to the parts that differ."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            step = (*path, key)
            yield from _differences(
                old.get(key, _ABSENT), new.get(key, _ABSENT), step
            )
    elif _mappings(old) and _mappings(new):
        for i, pair in enumerate(zip_longest(old, new, fillvalue=_ABSENT)):
            yield from _differences(*pair, (*path, i))
    else:
        yield f"{field_name(path)}: {_text(old)} -> {_text(new)}"


def _mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, dict) for v in value)


def _text(value: Any) -> str:
    if isinstance(value, dict):  # what a part does not have is not said
        value = {k: v for k, v in value.items() if v is not None}
    return "(absent)" if value is _ABSENT else json.dumps(value)


BLOCKS = re.compile(r"model\.stages\[\d+\]\.blocks")


def reasons_not_deeper(shallow: Spec, deep: Spec) -> list[str]:
    """Why a trained `shallow` cannot become a `deep`; empty if it can.

    A residual block that does nothing is another construction than He et al.
    2015, section 1, has in mind, so all stages must be plain. The data must be
    the same, split and transforms too: the network's function is theirs. Lines
    are as those of `differing_fields`, with what is wrong.
    """
    reasons = [
        f"model.stages[{i}].block: must be plain. Received: {stage.block}"
        for i, stage in enumerate(deep.model.stages)
        if stage.block != "plain"
    ]
    if deep.model.batch_norm is None:
        reasons.append("model.batch_norm: must not be null")
    for line in differing_fields(shallow, deep):
        field = line.partition(": ")[0]
        concerns = field.startswith(("model.", "data."))
        if concerns and not BLOCKS.fullmatch(field):
            reasons.append(f"{line}: must not differ")
    pairs = list(zip(shallow.model.stages, deep.model.stages, strict=False))
    reasons += [
        f"model.stages[{i}].blocks: {old.blocks} -> {new.blocks}: must not"
        " become fewer"
        for i, (old, new) in enumerate(pairs)
        if old.blocks > new.blocks
    ]
    if not reasons and all(old.blocks == new.blocks for old, new in pairs):
        reasons.append("model.stages: no block is added")
    return reasons


def reasons_not_begun(
    source: Spec,
    spec: Spec,
    lacks: Sequence[str] = (),
    keep_transforms: bool = False,
) -> list[str]:
    """Why `spec` cannot begin with the weights of a `source`; empty if it can.

    Args:
        source: What was trained, or is going to be.
        spec: The same network; the classifier may be of another size.
        lacks: Layers whose weights the source does not have.
        keep_transforms: Whether the transforms' statistics are taken, too.
    """
    there = {part.name: part.shapes for part in inventory(source.model)}
    reasons = []
    for part in inventory(spec.model):
        found = there.pop(part.name, {})
        free = part.is_classifier or part.name in lacks
        if found != part.shapes and not free:
            reasons.append(f"{part.name}: has other arrays")
    reasons += [f"{name}: is not there" for name in there if there[name]]
    if keep_transforms:
        own, others = (
            [each for each in s.data.transforms if each.adapts]
            for s in (spec, source)
        )
        if own != others:
            reasons.append(
                "keep_transforms: those that have statistics must be the same"
            )
    return reasons
