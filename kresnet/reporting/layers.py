"""Figures of what was measured layer by layer."""

import math
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kresnet.errors import BadDataError, KresnetError
from kresnet.records.run import RecordedRun
from kresnet.reporting.confusion import confusion_figure
from kresnet.reporting.evaluation_files import Evaluations
from kresnet.reporting.figures import Panel, layer_lines, stacked_panels
from kresnet.reporting.groups import Group, ReportedRuns, caption
from kresnet.reporting.metrics import read_rows

# By iteration, then by layer, both in the file's order.
LayerValues = dict[int, dict[str, float]]


def read_layer_values(path: Path, column: str) -> LayerValues:
    """Reads a CSV file with `iteration`, `layer` and a column of numbers.

    Raises:
        InputMissingError: There is no such file, or it has no row.
        BadDataError: It is not such a table, or a number is negative or not
            finite.
    """
    found: LayerValues = {}
    try:
        for row in read_rows(path):
            value = float(row[column])
            if not (math.isfinite(value) and value >= 0):
                raise ValueError
            found.setdefault(int(row["iteration"]), {})[row["layer"]] = value
    except (KeyError, TypeError, ValueError) as error:
        raise BadDataError(
            f"{path}: must be a table of iteration, layer and {column}, which"
            " is finite and not negative"
        ) from error
    return found


RESPONSES = "responses.csv"


@dataclass(frozen=True)
class Responses:
    """Standard deviations of the responses of a network's layers.

    Attributes:
        label: Of the network; runs that share it share a colour.
        iteration: When they were taken.
        layers: The paper's names, from input to output.
        deviations: One for each layer.
    """

    label: str
    iteration: int
    layers: tuple[str, ...]
    deviations: tuple[float, ...]


def read_responses(folder: Path, label: str) -> Responses:
    """Reads the last iteration's rows of a run's responses.csv.

    Raises:
        InputMissingError: There is no such file, or it has no row.
        BadDataError: It is not a table of iteration, layer and std.
    """
    values = read_layer_values(Path(folder) / RESPONSES, "std")
    last = max(values)
    return Responses(
        label, last, tuple(values[last]), tuple(values[last].values())
    )


def responses_figure(measured: Sequence[Responses], title: str) -> Figure:
    """Draws responses in the order of the layers, and sorted by magnitude.

    The axis starts at 0, as the paper's, unless the largest would flatten the
    others and none is 0: then it is logarithmic.

    Args:
        measured: Runs, in the order of the legend.
        title: Above the figure.
    """
    original = [each.deviations for each in measured]
    sorted_ones = [sorted(each, reverse=True) for each in original]
    figure = stacked_panels(
        [
            Panel("layer, in the order of the network", layer_lines(original)),
            Panel("layer, sorted by magnitude", layer_lines(sorted_ones)),
        ],
        [each.label for each in measured],
        "standard deviation",
        title,
    )
    values = [deviation for each in original for deviation in each] or [0]
    for axes in figure.axes:
        if _flattened(values):
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.08 * max(values) or 1)
    return figure


def _flattened(values: Sequence[float]) -> bool:
    """Whether a linear axis would show little but the largest values."""
    return min(values) > 0 and max(values) > 10 * statistics.median(values)


GRADIENTS = "gradients.csv"


@dataclass(frozen=True)
class Gradients:
    """Norms of the gradient of a run.

    Attributes:
        label: Of the network; runs that share it share a colour.
        norms: By iteration and layer.
    """

    label: str
    norms: LayerValues

    @property
    def first(self) -> list[float]:
        """At the first iteration measured, from input to output."""
        return list(next(iter(self.norms.values())).values())

    @property
    def last_iteration(self) -> int:
        """The last iteration measured."""
        return next(reversed(self.norms))

    @property
    def last(self) -> list[float]:
        """At the last iteration measured, from input to output."""
        return list(self.norms[self.last_iteration].values())

    def whole(self) -> list[float]:
        """Of all kernels together, at each iteration measured."""
        return [math.hypot(*norms.values()) for norms in self.norms.values()]


def read_gradients(folder: Path, label: str) -> Gradients:
    """Reads a run's gradients.csv.

    Raises:
        InputMissingError: There is no such file, or it has no row.
        BadDataError: It is not a table of iteration, layer and norm.
    """
    return Gradients(label, read_layer_values(Path(folder) / GRADIENTS, "norm"))


def gradients_figure(measured: Sequence[Gradients], title: str) -> Figure:
    """Draws the norms by layer, first and last, and all along the training.

    Args:
        measured: Runs, in the order of the legend.
        title: Above the figure.
    """
    first = [each.first for each in measured]
    last = [each.last for each in measured]
    whole = [(list(each.norms), each.whole()) for each in measured]
    figure = stacked_panels(
        [
            Panel("layer, at the initial weights", layer_lines(first)),
            Panel("layer, at the last iteration measured", layer_lines(last)),
            Panel("iteration, all layers together", whole),
        ],
        [each.label for each in measured],
        "norm of the gradient",
        title,
    )
    for axes in figure.axes:
        axes.set_yscale("log")
    upper, middle, _ = figure.axes
    upper.sharey(middle)  # to be compared
    upper.autoscale()
    return figure


LONGEST_NAME = 120  # characters; file systems take 255

Notify = Callable[[str], None]


@dataclass(frozen=True)
class ReportFigure:
    """A figure with what must be said of it.

    Attributes:
        kind: "curves", "losses", "responses", "gradients" or "confusion".
        title: Its name.
        caption: How to read it.
        description: What can be seen, for those who do not see it.
        figure: The figure.
        number: Among the figures of the report.
    """

    kind: str
    title: str
    caption: str
    description: str
    figure: Figure
    number: int = 0

    @property
    def name(self) -> str:
        """Of its files, without ending."""
        words = re.sub(r"[^a-z0-9]+", "-", self.title.lower())
        words = words.strip("-")[:LONGEST_NAME]
        return f"{self.place}-{self.kind}-{words}"

    @property
    def place(self) -> str:
        """Of the ids of its parts in the page."""
        return f"figure{self.number}"


def _by_dataset(
    runs: list[tuple[Group, RecordedRun]],
    file: str,
    read: Callable[[Path, str], Any],
    notify: Notify,
) -> Iterator[tuple[str, list, bool]]:
    """What the runs that have a file measured, by the data set's name.

    And whether one of them is a proxy.
    """
    datasets: dict[str, tuple[list, list]] = {}
    for group, run in runs:
        if (run.folder / file).exists():
            try:
                measured = read(run.folder, group.shown)
            except KresnetError as error:
                notify(str(error))
                continue
            dataset = group.spec.data.dataset
            found, proxies = datasets.setdefault(dataset, ([], []))
            found.append(measured)
            proxies.append(group.proxy)
    for name, (found, proxies) in datasets.items():
        yield name, found, any(proxies)


def response_figures(
    reported: ReportedRuns, notify: Notify
) -> Iterator[ReportFigure]:
    """A figure for every data set with the runs that have responses."""
    runs = [(g, run) for g in reported.groups for run in g.finished]
    for name, measured, proxy in _by_dataset(
        runs, RESPONSES, read_responses, notify
    ):
        title = f"Layer responses on {name}"
        sentences = [
            f"{each.label}: {len(each.deviations)} layers at iteration"
            f" {each.iteration:,}, from {min(each.deviations):.3g} to"
            f" {max(each.deviations):.3g}."
            for each in measured
        ]
        yield ReportFigure(
            "responses",
            title,
            caption(
                "Standard deviation of each layer's response after batch norm,"
                " before the non-linearity or the addition; a colour is a"
                " network, a line a run.",
                proxy,
            ),
            " ".join(sentences),
            responses_figure(measured, title),
        )


def gradient_figures(
    reported: ReportedRuns, notify: Notify
) -> Iterator[ReportFigure]:
    """A figure for every data set with the runs that have gradient norms."""
    runs = [(g, run) for g in reported.groups for run in g.runs]
    for name, measured, proxy in _by_dataset(
        runs, GRADIENTS, read_gradients, notify
    ):
        title = f"Gradient norms on {name}"
        sentences = [
            f"{each.label}: in the first layer and in the last"
            f" {_ends(each.first)} at the start, {_ends(each.last)} at"
            f" iteration {each.last_iteration:,}; all together from"
            f" {min(each.whole()):.3g} to {max(each.whole()):.3g}."
            for each in measured
        ]
        yield ReportFigure(
            "gradients",
            title,
            caption(
                "Norm of the gradient of the cross-entropy with respect to the"
                " kernels, on one batch, without weight decay and before any"
                " clipping: layer by layer at the initial weights and at the"
                " last iteration measured, and of all kernels together along"
                " the training; a colour is a network, a line a run.",
                proxy,
            ),
            " ".join(sentences),
            gradients_figure(measured, title),
        )


def _ends(norms: list[float]) -> str:
    return f"{norms[0]:.3g} and {norms[-1]:.3g}"


def confusion_figures(
    evaluations: list[Evaluations],
) -> Iterator[ReportFigure]:
    """A figure for each, with the counts of all of its runs added up."""
    for each in evaluations:
        first = each.found[0]
        same = [e for e in each.found if e.class_names == first.class_names]
        matrix = np.sum([e.confusion for e in same], axis=0)
        runs = "1 run" if len(same) == 1 else f"{len(same)} runs"
        statistics = first.file.removesuffix(".json").split("-", 2)[-1]
        title = (
            f"{each.group.shown}, {first.protocol.get('split')},"
            f" {statistics}, {runs}"
        )
        wrong = matrix.sum() - matrix.trace()
        yield ReportFigure(
            "confusion",
            title,
            caption("Images by true and predicted class.", each.group.proxy),
            f"{wrong:,} of {matrix.sum():,} images are off the diagonal.",
            confusion_figure(matrix, first.class_names, title),
        )
