"""Studies: several runs that show something together."""

from kresnet.study.engines.local import one_by_one
from kresnet.study.file import Study, StudyRun, load_study
from kresnet.study.plan import parse_budget
from kresnet.study.study import RunFailedError, run_study, study_table

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
