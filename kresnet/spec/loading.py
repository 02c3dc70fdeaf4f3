"""Reads a spec, checks it, and reports every mistake at once."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from kresnet.architecture import StageFields
from kresnet.documents import (
    SPECS,
    Document,
    apply_overrides,
    read_document,
    validated,
)
from kresnet.spec.spec import Spec, spec_class


def load_spec(
    path: str | os.PathLike,
    overrides: Sequence[str] = (),
    notify: Callable[[str], None] | None = None,
    *,
    stages: Sequence[type[StageFields]] = (),
) -> Spec:
    """Reads a spec from a file, or a shipped one by its name.

    Args:
        path: A file; or the name of a shipped spec, such as "plain56", if it
            has no folder and no ".yaml" and there is no such file.
        overrides: Changes, such as "training.learning_rate.at=[750,1125]". One
            of the `model` part drops `expect`, unless `expect` is set too.
        notify: Called with a line of text for what the user should know.
        stages: Kinds of stages of your own, which the spec may name besides
            those of kresnet; see `kresnet.architecture.StageFields`.

    Returns:
        The spec, checked.

    Raises:
        SpecError: If the spec is wrong: a line for every problem, as
            "path:line:column: field: what is wrong. Received: …".
        InputMissingError: If there is no such file, or it cannot be read.
        ValueError: If one of `stages` is no kind of stage, or its name is
            that of another.
    """
    kind = spec_class(tuple(stages))
    document = read_document(path, SPECS)
    if () not in document.unusable and isinstance(document.value, dict):
        changed = {p[0] for p in apply_overrides(document, overrides)}
        if "model" in changed and "expect" not in changed:
            _drop_expect(document, notify)
    return validated(document, kind, _size)


def _drop_expect(
    document: Document, notify: Callable[[str], None] | None
) -> None:
    """The counts of the file are not those of a network that was changed."""
    if document.value.pop("expect", None) is None:
        return
    document.remove_places(("expect",))
    if notify is not None:
        notify(
            f"{document.label}: expect is dropped: --set changes the model it"
            " counts"
        )


def _size(field: str | int, holder: Any) -> str:
    """Says what too many blocks would come to."""
    if field != "blocks":
        return ""
    blocks, width = holder["blocks"], holder.get("width")
    if type(blocks) is not int or type(width) is not int:
        return ""
    if min(blocks, width) < 1:
        return ""
    parameters = 2 * 9.0 * width**2 * blocks
    return (
        f"; so many of width {width} would have about {parameters:.1e}"
        f" parameters, {4 * parameters / 1e9:.1e} GB"
    )


def shipped_specs() -> list[str]:
    """Returns the names of the shipped specs."""
    return SPECS.names()
