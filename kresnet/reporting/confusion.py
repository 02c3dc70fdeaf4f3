"""A confusion matrix as a figure."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kresnet.documents import shown
from kresnet.figures import (
    WIDTH,
    ReportFigure,
    new_figure,
    save_figure,
    set_title,
)
from kresnet.records.evaluation import EnsembleEvaluation, Evaluation
from kresnet.reporting.evaluations import Evaluations
from kresnet.reporting.groups import caption

MOST_NAMED = 30  # classes whose names and counts can be read in a figure
LONGEST_CLASS = 40  # characters of a name; longer ones leave no room
# A black that stays black on a dark page: it stands on a light cell.
INK = "#111111"


def draw_confusion(
    evaluation: Evaluation | EnsembleEvaluation, path: Path
) -> Path:
    """Draws the confusion matrix of an evaluation into a PNG file."""
    if isinstance(evaluation, EnsembleEvaluation):
        protocol = evaluation.members[0].protocol
        of = f"ensemble of {len(evaluation.members)}, "
    else:
        protocol, of = evaluation.protocol, ""
    seen = "" if protocol.view == "single" else f"{protocol.view}, "
    title = (
        f"{of}{protocol.data}, {protocol.split}, {seen}{protocol.images:,} "
        f"images: error {evaluation.error:.2f} %"
    )
    figure = confusion_figure(
        np.array(evaluation.confusion), evaluation.class_names, title
    )
    return save_figure(figure, path)


def confusion_figure(
    matrix: np.ndarray, class_names: Sequence[str], title: str
) -> Figure:
    """Draws counts by class, colours by share of the row.

    The matrix, integers `(classes, classes)`, has a row for each true class and
    a column for each predicted one, in the order of the names.
    """
    if matrix.shape != (len(class_names), len(class_names)):
        raise ValueError(
            "`matrix` must have a row and a column for each of `class_names`. "
            f"Received: shape={matrix.shape}, {len(class_names)} names"
        )
    figure = new_figure(WIDTH, 4.6)
    axes = figure.subplots()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true class")
    set_title(axes, title)
    if len(class_names) > MOST_NAMED:
        return figure
    places = range(len(class_names))
    names = [shown(name, LONGEST_CLASS) for name in class_names]
    named: dict[str, Any] = {"labels": names, "parse_math": False}
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right"}
    short = max(map(len, names)) <= 3
    axes.set_xticks(places, **named, **({} if short else slanted))
    axes.set_yticks(places, **named)
    for row, column in np.argwhere(matrix > 0):
        axes.text(
            column,
            row,
            f"{matrix[row, column]:,}",
            ha="center",
            va="center",
            fontsize=8 if len(class_names) <= 12 else 5,
            color="#ffffff" if share[row, column] > 0.5 else INK,
        )
    return figure


def confusion_figures(evaluations: list[Evaluations]) -> Iterator[ReportFigure]:
    """A figure for each, with the counts of all of its runs added up."""
    for each in evaluations:
        first = each.found[0]
        matrix = np.sum([e.confusion for e in each.found], axis=0)
        count = len(each.found)
        runs = "1 run" if count == 1 else f"{count} runs"
        statistics = each.file.removesuffix(".json").split("-", 2)[-1]
        title = (
            f"{each.group.shown}, {first.protocol.split}, {statistics}, {runs}"
        )
        wrong = matrix.sum() - matrix.trace()
        yield ReportFigure(
            "confusion",
            title,
            caption("Images by true and predicted class.", each.group.proxy),
            f"{wrong:,} of {matrix.sum():,} images are off the diagonal.",
            confusion_figure(matrix, first.class_names, title),
        )
