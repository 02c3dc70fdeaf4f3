"""A study's YAML file: which specs, changes and seeds, and what it shows."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from kresnet.documents import (
    STUDIES,
    Expected,
    Fields,
    Flag,
    Problem,
    raise_problems,
    read_document,
    validated,
)
from kresnet.errors import SpecError
from kresnet.records.identity import Seed
from kresnet.records.imported import IMPORT
from kresnet.run_options import RunOptions
from kresnet.spec.spec import can_be_a_folder

_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]*"
Name = Annotated[
    str,
    Expected(
        "1 to 64 letters, digits, dots, dashes or underscores that start"
        " with a letter or digit"
    ),
    Field(max_length=64, pattern=f"^{_WORD}$"),
]
# What else is in the folder of a study, beside those of its networks.
OWN_NAMES = ("jobs", "report", "specs", "study.json")
SpecName = Annotated[
    str,
    Expected(
        "the name of a shipped spec, or of a .yaml file in the study's folder"
        " or below it"
    ),
    Field(max_length=200, pattern=rf"^{_WORD}$|^({_WORD}/)*{_WORD}\.yaml$"),
]
SOURCE = (
    "the name of an earlier run of this study, or the folder of an import in"
    " the study's folder or below it"
)
SourceName = Annotated[
    str,
    Expected(SOURCE),
    Field(max_length=200, pattern=f"^({_WORD}/)*{_WORD}$"),
]
Text = Annotated[str, Expected("a text"), Field(min_length=1, max_length=4_000)]


class StudyRun(RunOptions):
    """One network of a study, trained once for each seed, with its options."""

    name: Name | None = Field(
        default=None,
        description="Names its folder; if left out, the spec or its file does.",
    )
    spec: SpecName = Field(
        description="Name of a shipped spec, or a .yaml file: its path from"
        " the study's file."
    )
    set: Annotated[tuple[Text, ...], Expected("a list of FIELD=VALUE")] = Field(
        default=(),
        max_length=50,
        description="Changes of the spec, as --set makes them.",
    )
    seeds: Annotated[
        tuple[Seed, ...], Expected("a list of seeds, at least one")
    ] = Field(
        min_length=1, max_length=100, description="Each of them makes one run."
    )
    deepen: Name | None = Field(
        default=None,
        description="Names an earlier run. This one begins with its weights,"
        " seed by seed, as --deepen of `kresnet train` does.",
    )
    begin_with: SourceName | None = Field(
        default=None,
        description="The same as --begin-with of `kresnet train` does; or names"
        " an import, as a path from the study's file.",
    )
    keep_transforms: Flag = Field(
        default=False, description="As --keep-transforms of `kresnet train`."
    )

    @model_validator(mode="after")
    def _agrees(self) -> "StudyRun":
        checks = (_seeds_differ, _begins_with_one, _keeps_what_it_begins_with)
        raise_problems(checks, self)
        return self

    @property
    def label(self) -> str:
        """The name of its folder."""
        return self.name or Path(self.spec).name.removesuffix(".yaml")

    @property
    def source(self) -> str | None:
        """The label of the run, or the import, with whose weights it begins."""
        return self.deepen or self.begin_with


class Study(Fields):
    """Several runs that show something together."""

    name: Name = Field(description="Names the folder of the study.")
    shows: Text = Field(description="What it shows, and from where.")
    runs: Annotated[
        tuple[StudyRun, ...], Expected("a list of runs, at least one")
    ] = Field(min_length=1, max_length=200, description="Done in this order.")

    @model_validator(mode="after")
    def _runs_agree(self) -> "Study":
        checks = (_names_can_be_folders, _folders_differ, _sources_come_first)
        raise_problems(checks, self)
        return self


def load_study(path: str | os.PathLike[str]) -> Study:
    """Reads a study from a file, or a shipped one by its name.

    Returns:
        The study; specs and imports of the user are named as seen from the
        working directory.

    Raises:
        SpecError: The file is wrong: a line for every problem, as
            "path:line:column: field: what is wrong. Received: …".
        InputMissingError: There is no such file.
    """
    document = read_document(path, STUDIES)
    study = validated(document, Study)
    folder = Path(path).parent
    runs, labels = [], set()
    for i, run in enumerate(study.runs):
        found = {}
        if run.spec.endswith(".yaml"):
            found["spec"] = str(folder / run.spec)
        if run.begin_with and run.begin_with not in labels:
            found["begin_with"] = str(folder / run.begin_with)
            if not (folder / run.begin_with / IMPORT).is_file():
                document.report(
                    Problem(("runs", i, "begin_with"), f"must be {SOURCE}")
                )
        runs.append(run.model_copy(update=found))
        labels.add(run.label)
    if document.problems:
        raise SpecError(*document.lines())
    return study.model_copy(update={"runs": tuple(runs)})


def _seeds_differ(run: StudyRun) -> Iterator[Problem]:
    if len(set(run.seeds)) < len(run.seeds):
        yield Problem(("seeds",), "must not repeat a seed")


def _begins_with_one(run: StudyRun) -> Iterator[Problem]:
    if run.deepen and run.begin_with:
        yield Problem(
            ("begin_with",),
            "must be left out: the run is deepened from another",
            also=(("deepen",),),
        )


def _keeps_what_it_begins_with(run: StudyRun) -> Iterator[Problem]:
    if run.keep_transforms and not run.begin_with:
        yield Problem(
            ("keep_transforms",), "must be left out: the run has no begin_with"
        )


def _names_can_be_folders(study: Study) -> Iterator[Problem]:
    said = "must be usable as a folder's name everywhere"
    if not can_be_a_folder(study.name):
        yield Problem(("name",), said)
    for i, run in enumerate(study.runs):
        if not can_be_a_folder(run.label):
            yield Problem(("runs", i, "name" if run.name else "spec"), said)


def _folders_differ(study: Study) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for i, run in enumerate(study.runs):
        field = "name" if run.name else "spec"
        if run.label in first:
            yield Problem(
                ("runs", i, field),
                f"must differ from that of runs[{first[run.label]}]; give one"
                " of them another name",
            )
        if run.label in OWN_NAMES:
            yield Problem(
                ("runs", i, field),
                f"must not be {run.label}: the study has a file or a folder of"
                " this name; give the run another name",
            )
        first.setdefault(run.label, i)


def _sources_come_first(study: Study) -> Iterator[Problem]:
    """A run begins with an earlier one that has its seeds, or an import."""
    earlier: dict[str, tuple[int, StudyRun]] = {}
    for i, run in enumerate(study.runs):
        if run.deepen and run.deepen not in earlier:
            yield Problem(
                ("runs", i, "deepen"),
                "must be the name of an earlier run of this study",
            )
        elif run.source in earlier:
            number, source = earlier[run.source]
            if missing := sorted(set(run.seeds) - set(source.seeds)):
                how = "is deepened from" if run.deepen else "begins with"
                yield Problem(
                    ("runs", i, "seeds"),
                    f"must be seeds of runs[{number}], which it {how}: that has"
                    f" no {', '.join(map(str, missing))}",
                )
        earlier.setdefault(run.label, (i, run))
