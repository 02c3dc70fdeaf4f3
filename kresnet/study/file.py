"""A study's YAML file: which specs, changes and seeds, and what it shows."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from kresnet.errors import SpecError
from kresnet.spec.fields import Expected, Fields, Integer
from kresnet.spec.problems import Problem
from kresnet.spec.reading import read_text
from kresnet.spec.shipped import STUDIES
from kresnet.spec.wording import structural_problems
from kresnet.spec.yaml_reader import read_yaml

Name = Annotated[
    str,
    Expected(
        "1 to 64 letters, digits, dots, dashes or underscores that start"
        " with a letter or digit"
    ),
    Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
]
# What else is in the folder of a study, beside those of its networks.
OWN_NAMES = ("report", "specs", "study.json")
SpecName = Annotated[
    str,
    Expected(
        "the name of a shipped spec, or of a .yaml file in the study's folder"
        " or below it"
    ),
    Field(
        max_length=200,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
        r"|^([A-Za-z0-9][A-Za-z0-9._-]*/)*[A-Za-z0-9][A-Za-z0-9._-]*\.yaml$",
    ),
]
Text = Annotated[str, Expected("a text"), Field(min_length=1, max_length=4_000)]
Seed = Annotated[Integer, Field(ge=0, lt=2**63)]
Every = Annotated[Integer, Field(ge=1, le=100_000_000)]


class StudyRun(Fields):
    """One network of a study, trained once for each seed."""

    name: Name | None = Field(
        default=None,
        description="Of its folder; the name of the spec, or of its file, if"
        " left out.",
    )
    spec: SpecName = Field(
        description="Name of a shipped spec, or a .yaml file: its path from"
        " the study's file."
    )
    set: Annotated[tuple[Text, ...], Expected("a list of FIELD=VALUE")] = Field(
        default=(), max_length=50, description="Changes, as of --set."
    )
    seeds: Annotated[
        tuple[Seed, ...], Expected("a list of seeds, at least one")
    ] = Field(min_length=1, max_length=100, description="One run for each.")
    deepen: Name | None = Field(
        default=None,
        description="Name of an earlier run: begin with its weights, seed by"
        " seed, as --deepen of `kresnet train`.",
    )
    responses_every: Every | None = Field(
        default=None, description="As --responses-every of `kresnet train`."
    )
    gradients_every: Every | None = Field(
        default=None, description="As --gradients-every of `kresnet train`."
    )

    @property
    def label(self) -> str:
        """Name of its folder."""
        return self.name or Path(self.spec).name.removesuffix(".yaml")


class Study(Fields):
    """Several runs that show something together."""

    name: Name = Field(description="Names the folder of the study.")
    shows: Text = Field(description="What it shows, and from where.")
    runs: Annotated[
        tuple[StudyRun, ...], Expected("a list of runs, at least one")
    ] = Field(min_length=1, max_length=200, description="Done in this order.")


def load_study(path: str | os.PathLike[str]) -> Study:
    """Reads a study from a file, or a shipped one by its name.

    Returns:
        The study; specs of the user are named as seen from the working
        directory.

    Raises:
        SpecError: The file is wrong: a line for every problem, as
            "path:line:column: field: what is wrong. Received: …".
        InputMissingError: There is no such file.
    """
    text, label = read_text(os.fspath(path), STUDIES)
    document = read_yaml(text, label)
    study = None
    if () not in document.unusable:
        problems, study = _validated(document.value)
        for problem in problems:
            document.report(problem)
    if document.problems:
        raise SpecError("\n".join(document.lines()))
    return _found_from(study, Path(path).parent)


def _found_from(study: Study, folder: Path) -> Study:
    """The study with its own specs as paths that begin with its folder."""
    runs = [
        run.model_copy(update={"spec": str(folder / run.spec)})
        if run.spec.endswith(".yaml")
        else run
        for run in study.runs
    ]
    return study.model_copy(update={"runs": tuple(runs)})


def _validated(value: Any) -> tuple[list[Problem], Study | None]:
    if not isinstance(value, dict):
        return [Problem((), "expected a mapping of fields")], None
    try:
        study = Study.model_validate(value)
    except ValidationError as error:
        errors = error.errors(
            include_url=False, include_context=False, include_input=False
        )
        return structural_problems(errors, value, Study), None
    return list(_checks(study)), study


def _checks(study: Study) -> Iterator[Problem]:
    """Two runs may not share a folder, nor a seed be named twice.

    No run takes the name of a file that the study itself writes.
    A run is deepened from an earlier one that has its seeds.
    """
    first: dict[str, int] = {}
    for i, run in enumerate(study.runs):
        if run.label in first:
            field = "name" if run.name else "spec"
            yield Problem(
                ("runs", i, field),
                f"must differ from that of runs[{first[run.label]}]; give one"
                " of them another name",
            )
        if run.label in OWN_NAMES:
            yield Problem(
                ("runs", i, "name" if run.name else "spec"),
                f"must not be {run.label}: the study has a file or a folder of"
                " this name; give the run another name",
            )
        if run.deepen:
            yield from _deepened(study, i, first.get(run.deepen))
        first.setdefault(run.label, i)
        if len(set(run.seeds)) < len(run.seeds):
            yield Problem(("runs", i, "seeds"), "must not repeat a seed")


def _deepened(study: Study, i: int, source: int | None) -> Iterator[Problem]:
    run = study.runs[i]
    if source is None:
        yield Problem(
            ("runs", i, "deepen"),
            "must be the name of an earlier run of this study",
        )
    elif missing := set(run.seeds) - set(study.runs[source].seeds):
        yield Problem(
            ("runs", i, "seeds"),
            f"must be seeds of runs[{source}], which it is deepened from: that"
            f" has no {', '.join(map(str, sorted(missing)))}",
        )
