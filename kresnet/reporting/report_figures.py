"""The figures of a report: which runs stand together in which."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from kresnet.errors import KresnetError
from kresnet.recorded_run import RecordedRun
from kresnet.reporting.confusion import confusion_figure
from kresnet.reporting.evaluation_files import Evaluations
from kresnet.reporting.gradients import (
    FILE as GRADIENTS,
)
from kresnet.reporting.gradients import (
    gradients_figure,
    read_gradients,
)
from kresnet.reporting.responses import (
    FILE as RESPONSES,
)
from kresnet.reporting.responses import (
    read_responses,
    responses_figure,
)
from kresnet.reporting.study import Group, Study

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
        return f"{self.place}-{self.kind}-{words.strip('-')}"

    @property
    def place(self) -> str:
        """Of the ids of its parts in the page."""
        return f"figure{self.number}"


def _by_dataset(
    runs: list[tuple[Group, RecordedRun]],
    file: str,
    read: Callable[[Path, str], Any],
    notify: Notify,
) -> Iterator[tuple[str, list]]:
    """What the runs that have a file measured, by the data set's name."""
    datasets: dict[str, list] = {}
    for group, run in runs:
        if (run.folder / file).exists():
            try:
                measured = read(run.folder, group.label)
            except KresnetError as error:
                notify(str(error))
                continue
            name = group.spec.data.dataset
            datasets.setdefault(name, []).append(measured)
    yield from datasets.items()


def response_figures(study: Study, notify: Notify) -> Iterator[ReportFigure]:
    """A figure for every data set with the runs that have responses."""
    runs = [(group, run) for group in study.groups for run in group.finished]
    for name, measured in _by_dataset(runs, RESPONSES, read_responses, notify):
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
            "Standard deviation of each layer's response after batch norm,"
            " before the non-linearity or the addition; a colour is a network,"
            " a line a run.",
            " ".join(sentences),
            responses_figure(measured, title),
        )


def gradient_figures(study: Study, notify: Notify) -> Iterator[ReportFigure]:
    """A figure for every data set with the runs that have gradient norms."""
    runs = [
        (group, run)
        for group in study.groups
        for run in [*group.finished, *group.unfinished]
    ]
    for name, measured in _by_dataset(runs, GRADIENTS, read_gradients, notify):
        title = f"Gradient norms on {name}"
        sentences = [
            f"{each.label}: {each.first[0]:.3g} in the first layer and"
            f" {each.first[-1]:.3g} in the last at the start; all together"
            f" from {min(each.whole()):.3g} to {max(each.whole()):.3g}."
            for each in measured
        ]
        yield ReportFigure(
            "gradients",
            title,
            "Norm of the gradient of the cross-entropy with respect to the"
            " kernels, on one batch, without weight decay and before any"
            " clipping; a colour is a network, a line a run.",
            " ".join(sentences),
            gradients_figure(measured, title),
        )


def confusion_figures(
    evaluations: list[Evaluations],
) -> Iterator[ReportFigure]:
    """A figure for each, with the counts of all of its runs added up."""
    for each in evaluations:
        first = each.found[0]
        same = [e for e in each.found if e.class_names == first.class_names]
        matrix = sum(e.confusion for e in same)
        runs = "1 run" if len(same) == 1 else f"{len(same)} runs"
        statistics = first.file.removesuffix(".json").split("-", 2)[-1]
        title = (
            f"{each.group.label}, {first.protocol.get('split')},"
            f" {statistics}, {runs}"
        )
        wrong = matrix.sum() - matrix.trace()
        yield ReportFigure(
            "confusion",
            title,
            "Images by true and predicted class.",
            f"{wrong:,} of {matrix.sum():,} images are off the diagonal.",
            confusion_figure(matrix, first.class_names, title),
        )
