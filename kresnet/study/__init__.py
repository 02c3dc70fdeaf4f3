"""Studies: several runs that show something together."""

from kresnet.study.budget import parse_budget
from kresnet.study.course import RunFailedError, run_study
from kresnet.study.file import Study, StudyRun, load_study
from kresnet.study.process import one_by_one
from kresnet.study.table import study_table

__all__ = [
    "RunFailedError",
    "Study",
    "StudyRun",
    "load_study",
    "one_by_one",
    "parse_budget",
    "run_study",
    "study_table",
]
