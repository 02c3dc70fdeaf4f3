"""Reading what `kresnet evaluate` wrote into a run's folder."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kresnet.errors import BadDataError, KresnetError
from kresnet.reporting.study import Group, Study
from kresnet.spec.problems import shown

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
    study: Study, notify: Callable[[str], None]
) -> list[Evaluations]:
    """The evaluations of the finished runs, by group and protocol.

    Those of an iteration before the last are left out.
    """
    evaluations = []
    for group in study.groups:
        by_file: dict[str, list[RecordedEvaluation]] = {}
        for run in group.finished:
            try:
                for each in read_evaluations(run.folder):
                    if each.protocol.get("iteration") == run.info["iteration"]:
                        by_file.setdefault(each.file, []).append(each)
            except KresnetError as error:
                notify(str(error))
        evaluations += [Evaluations(group, found) for found in by_file.values()]
    return evaluations


def read_evaluations(folder: Path) -> Iterator[RecordedEvaluation]:
    """Reads a run's evaluations, in the order of their names.

    Raises:
        BadDataError: A file is not what kresnet writes.
    """
    for path in sorted(Path(folder).glob(PATTERN)):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            matrix = np.array(content["confusion"], np.int64)
            yield RecordedEvaluation(
                path.name,
                dict(content["protocol"]),
                float(content["error"]),
                float(content["top5_error"]),
                _class_names(content, len(matrix)),
                matrix.reshape(len(matrix), len(matrix)),
            )
        except (
            KeyError,
            TypeError,
            ValueError,
            ArithmeticError,
            RecursionError,
        ) as error:
            raise BadDataError(f"{path}: not an evaluation") from error
        except OSError as error:
            raise BadDataError(f"{path}: {error.strerror}") from error


def _class_names(content: dict, count: int) -> tuple[str, ...]:
    """Names of all classes; older files have those of the split only."""
    names = content.get("class_names") or list(content["class_error"])
    if len(names) != count:
        names = range(count)
    return tuple(shown(name, 40) for name in names)
