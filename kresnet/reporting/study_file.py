"""The study that a run belongs to, as its study.json says."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from kresnet.reporting.recorded_values import number

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

    It is found from the run itself, wherever a report begins to look.
    """
    above = Path(os.path.abspath(run)).parents[:FOLDERS_ABOVE]
    found = (_read(folder / FILE) for folder in above)
    return next((study for study in found if study is not None), None)


def _read(file: Path) -> StudySummary | None:
    try:
        content = json.loads(file.read_text("utf-8"))
        name, shows = str(content["name"]), str(content["shows"])
        budget = number(content.get("budget"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # none there, or not written by a study
    return StudySummary(name, shows, 1 if budget is None else budget)
