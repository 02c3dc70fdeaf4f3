"""The figures of a report: which runs stand together in which."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from kresnet.errors import KresnetError
from kresnet.records.run import RecordedRun
from kresnet.reporting.confusion import confusion_figure
from kresnet.reporting.evaluation_files import Evaluations
from kresnet.reporting.gradients import (
    FILE as GRADIENTS,
)
from kresnet.reporting.gradients import (
    gradients_figure,
    read_gradients,
)
from kresnet.reporting.groups import Group, ReportedRuns
from kresnet.reporting.proxy import caption
from kresnet.reporting.responses import (
    FILE as RESPONSES,
)
from kresnet.reporting.responses import (
    read_responses,
    responses_figure,
)

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
            name = group.spec.data.dataset
            found, proxies = datasets.setdefault(name, ([], []))
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
        matrix = sum(e.confusion for e in same)
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
