"""The study that a run belongs to, as its study.json says."""

import os
from dataclasses import dataclass
from pathlib import Path

from kresnet.errors import BadDataError
from kresnet.files import number, read_json

FILE = "study.json"
# A run of a study is in `<study>/<network>/seed<seed>`.
FOLDERS_ABOVE = 2


@dataclass(frozen=True)
class StudySummary:
    """What a study says of itself.

    Attributes:
        name: Of the study.
        shows: What it shows.
        budget: Share of the iterations that its runs were trained for.
    """

    name: str
    shows: str
    budget: float

    @property
    def proxy(self) -> bool:
        """Whether its runs were trained for less than was meant."""
        return self.budget < 1


def study_of(run: Path) -> StudySummary | None:
    """The study of a run folder; `None` where it belongs to none.

    It is found from the run itself, wherever a report begins to look, and
    whatever link led to it.

    Raises:
        BadDataError: There is a study.json, and it is damaged: nobody knows
            whether the run is a proxy.
    """
    places = Path(run).resolve(), Path(os.path.abspath(run))
    above = [folder for p in places for folder in p.parents[:FOLDERS_ABOVE]]
    found = (_read(folder / FILE) for folder in dict.fromkeys(above))
    return next((study for study in found if study is not None), None)


def _read(file: Path) -> StudySummary | None:
    try:
        content = read_json(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise BadDataError(f"{file}: cannot be read: {error}") from error
    if not isinstance(content, dict) or not content.keys() >= {"name", "shows"}:
        return None  # not written by a study
    budget = number(content.get("budget"))
    return StudySummary(
        str(content["name"]),
        str(content["shows"]),
        1 if budget is None else budget,
    )
