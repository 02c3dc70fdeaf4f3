"""study.json: the study that runs belong to."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kresnet.documents import Expected, Fields, Number
from kresnet.records.typed_file import checked, read_content

STUDY = "study.json"
# A run of a study is in `<study>/<network>/seed<seed>`.
FOLDERS_ABOVE = 2


class StudyRecord(Fields):
    """What a study says of itself.

    Attributes:
        shows: What it shows.
        budget: Share of the iterations that its runs are trained for.
        runs: The entries of its file.
    """

    name: str
    shows: str
    budget: Annotated[Number, Field(gt=0, le=1)]
    runs: Annotated[
        tuple[dict[str, Any], ...],
        Expected("a list of mappings, at least one"),
        Field(min_length=1),
    ]

    @property
    def proxy(self) -> bool:
        """Whether its runs are trained for less than was meant."""
        return self.budget < 1


def read_study(folder: Path) -> StudyRecord | None:
    """Reads study.json; `None` where there is none, or another program's.

    Raises:
        BadDataError: It is damaged.
        InputMissingError: It cannot be read.
    """
    file = folder / STUDY
    content = read_content(file)
    if not isinstance(content, dict) or not content.keys() >= {"name", "shows"}:
        return None
    return checked(content, StudyRecord, str(file))


def study_of(run: Path) -> StudyRecord | None:
    """The study of a run folder; `None` where it belongs to none.

    It is found from the run itself, wherever a report begins to look and
    whichever link led to it. Errors are those of `read_study`.
    """
    places = Path(run).resolve(), Path(os.path.abspath(run))
    above = [folder for p in places for folder in p.parents[:FOLDERS_ABOVE]]
    found = map(read_study, dict.fromkeys(above))
    return next((study for study in found if study is not None), None)
