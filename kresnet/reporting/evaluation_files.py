"""Reading what `kresnet evaluate` wrote into a run's folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kresnet.documents import shown
from kresnet.errors import BadDataError, KresnetError
from kresnet.files import number, read_json
from kresnet.reporting.groups import Group, ReportedRuns

PATTERN = "evaluation-*.json"


@dataclass(frozen=True)
class RecordedEvaluation:
    """One evaluation of one run.

    Attributes:
        file: Its name; the same for the same split and statistics.
        protocol: Data set, split, images, iteration, statistics, in words.
        error: Top-1 error, percent.
        top5_error: Top-5 error, percent.
        class_names: In the order of the labels.
        confusion: Counts, `confusion[true][predicted]`.
    """

    file: str
    protocol: dict[str, str | int]
    error: float
    top5_error: float
    class_names: tuple[str, ...]
    confusion: np.ndarray


@dataclass(frozen=True)
class Evaluations:
    """Evaluations of the runs of a group by one protocol.

    Attributes:
        group: The group.
        found: One for each run that has it.
    """

    group: Group
    found: list[RecordedEvaluation]


def read_all_evaluations(
    reported: ReportedRuns, notify: Callable[[str], None]
) -> list[Evaluations]:
    """The evaluations of the finished runs, by group and protocol.

    Those of an iteration before the last are left out.
    """
    evaluations = []
    for group in reported.groups:
        by_file: dict[str, list[RecordedEvaluation]] = {}
        for run in group.finished:
            for path in sorted(run.folder.glob(PATTERN)):
                try:
                    each = read_evaluation(path)
                except KresnetError as error:
                    notify(str(error))
                    continue
                if each.protocol.get("iteration") == run.info["iteration"]:
                    by_file.setdefault(each.file, []).append(each)
        evaluations += [Evaluations(group, found) for found in by_file.values()]
    return evaluations


def read_evaluation(path: Path) -> RecordedEvaluation:
    """Reads one evaluation.

    Raises:
        BadDataError: The file is not what kresnet writes.
    """
    try:
        content = read_json(path)
        matrix = np.array(content["confusion"])
        errors = float(content["error"]), float(content["top5_error"])
        if matrix.dtype != np.int64 or matrix.min() < 0 or not matrix.any():
            raise ValueError("no counts of images")
        if not all(0 <= error <= 100 for error in errors):
            raise ValueError("an error is no percentage")
        protocol = dict(content["protocol"])
        if number(protocol["iteration"]) is None:
            raise ValueError("no iteration")
        return RecordedEvaluation(
            path.name,
            protocol,
            *errors,
            _class_names(content, len(matrix)),
            matrix.reshape(len(matrix), len(matrix)),
        )
    except OSError as error:
        raise BadDataError(f"{path}: {error.strerror}") from error
    except (
        ArithmeticError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise BadDataError(f"{path}: not an evaluation") from error


def _class_names(content: dict, count: int) -> tuple[str, ...]:
    """Names of all classes; older files have those of the split only."""
    names = content.get("class_names") or list(content["class_error"])
    if len(names) != count:
        names = range(count)
    return tuple(shown(name, 40) for name in names)
