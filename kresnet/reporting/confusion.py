"""A confusion matrix as a figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kresnet.evaluation import Evaluation
from kresnet.reporting.figures import new_figure, save_figure


def draw_confusion(evaluation: Evaluation, path: Path) -> Path:
    """Draws an evaluation's confusion matrix into a PNG file."""
    protocol = evaluation.protocol
    title = (
        f"{protocol['data']}, {protocol['split']}, {protocol['images']:,} "
        f"images: error {evaluation.error:.2f} %"
    )
    figure = confusion_figure(
        np.array(evaluation.confusion), list(evaluation.class_error), title
    )
    return save_figure(figure, path)


def confusion_figure(
    matrix: np.ndarray, class_names: Sequence[str], title: str
) -> Figure:
    """Draws counts by class, colours by share of the row.

    Args:
        matrix: Integer `(classes, classes)`: row = true class, column =
            predicted.
        class_names: Names in the order of the labels.
        title: Above the figure.
    """
    figure = new_figure(6.5, 6)
    axes = figure.subplots()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    places = range(len(class_names))
    axes.set_xticks(places, class_names, rotation=45, ha="right")
    axes.set_yticks(places, class_names)
    axes.set(xlabel="predicted", ylabel="true class", title=title)
    for row, column in np.argwhere(matrix > 0):
        axes.text(
            column,
            row,
            f"{matrix[row, column]}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if share[row, column] > 0.5 else "black",
        )
    return figure
