"""Reads a spec, checks it, and reports every mistake at once."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from kresnet.errors import SpecError
from kresnet.spec.checks import run_checks
from kresnet.spec.document import Document
from kresnet.spec.model_checks import MODEL_CHECKS
from kresnet.spec.overrides import apply_overrides
from kresnet.spec.partial import partial_spec
from kresnet.spec.problems import Problem
from kresnet.spec.reading import read_text
from kresnet.spec.schema import SPEC_CHECKS, Spec
from kresnet.spec.shipped import SPECS
from kresnet.spec.wording import structural_problems
from kresnet.spec.yaml_reader import read_yaml


def load_spec(
    path: str | os.PathLike,
    overrides: Sequence[str] = (),
    notify: Callable[[str], None] | None = None,
) -> Spec:
    """Reads a spec from a file, or a shipped one by its name.

    Args:
        path: A file; or the name of a shipped spec, such as "plain56", if it
            has no folder and no ".yaml" and there is no such file.
        overrides: Changes, such as "training.learning_rate.at=[750,1125]". One
            of the `model` part drops `expect`, unless `expect` is set too.
        notify: Called with a line of text for what the user should know.

    Returns:
        The spec, checked.

    Raises:
        SpecError: If the spec is wrong: a line for every problem, as
            "path:line:column: field: what is wrong. Received: …".
        InputMissingError: If there is no such file, or it cannot be read.
    """
    text, label = read_text(os.fspath(path), SPECS)
    document = read_yaml(text, label)
    if () not in document.unusable:
        if isinstance(document.value, dict):
            changed = {p[0] for p in apply_overrides(document, overrides)}
            if "model" in changed and "expect" not in changed:
                _drop_expect(document, label, notify)
        spec = _validate(document)
    if document.problems:
        raise SpecError(*document.lines())
    return spec


def _drop_expect(
    document: Document, label: str, notify: Callable[[str], None] | None
) -> None:
    """The counts of the file are not those of a network that was changed."""
    if document.value.pop("expect", None) is None:
        return
    document.remove_places(("expect",))
    if notify is not None:
        notify(f"{label}: expect is dropped: --set changes the model it counts")


def _validate(document: Document) -> Spec | None:
    """Returns the spec, or reports everything that is wrong with it."""
    value = document.value
    if not isinstance(value, dict):
        document.report(Problem((), "expected a mapping of fields"))
        return None
    try:
        return Spec.model_validate(value)
    except ValidationError as error:
        errors = error.errors(
            include_url=False, include_context=False, include_input=False
        )
    problems = [
        problem
        for problem in structural_problems(errors, value)
        if not _inside_refused(problem, document)
    ]
    wrong = {p.path for p in problems if not p.key} | document.unusable
    problems += run_checks(
        (_model_checks, *SPEC_CHECKS), partial_spec(value, wrong)
    )
    for problem in problems:
        document.report(problem)
    return None


def _inside_refused(problem: Problem, document: Document) -> bool:
    path = problem.path
    return any(path[: len(bad)] == bad for bad in document.unusable)


def _model_checks(spec: Any) -> Iterator[Problem]:
    for problem in run_checks(MODEL_CHECKS, spec.model):
        yield problem.under("model")
