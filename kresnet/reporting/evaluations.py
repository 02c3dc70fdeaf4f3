"""What `kresnet evaluate` wrote: found, and as sections of a report."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kresnet.figures import ReportFigure
from kresnet.records.evaluation import (
    ENSEMBLES,
    EVALUATIONS,
    EnsembleEvaluation,
    Evaluation,
    Measured,
    Member,
    read_ensemble,
    read_evaluation,
)
from kresnet.reporting.groups import (
    NOTHING,
    Group,
    Notify,
    ReportedRuns,
    is_shortened,
    marked,
    mean_and_deviation,
    read_or_notify,
    walk,
)
from kresnet.reporting.html import (
    Content,
    Markup,
    Row,
    element,
    figure,
    table,
    wide,
)
from kresnet.reporting.paper import paper_error_of_test


@dataclass(frozen=True)
class Evaluations:
    """Evaluations of the runs of a group by one protocol: files of one name."""

    group: Group
    file: str
    found: list[Evaluation]


def read_all_evaluations(
    reported: ReportedRuns, notify: Notify
) -> list[Evaluations]:
    """The evaluations of finished runs at their last iteration."""
    evaluations = []
    for group in reported.groups:
        by_file: dict[str, list[Evaluation]] = {}
        for run in group.finished:
            for path in sorted(run.folder.glob(EVALUATIONS)):
                each = read_or_notify(notify, read_evaluation, path)
                if each is None:
                    continue
                if run.identity.differences(each.identity):
                    notify(f"{path}: is of another run than the one it is in")
                elif each.protocol.iteration == run.record.iteration:
                    by_file.setdefault(path.name, []).append(each)
        evaluations += [
            Evaluations(group, file, found) for file, found in by_file.items()
        ]
    return evaluations


def read_ensembles(
    paths: Sequence[str | os.PathLike[str]], notify: Notify
) -> list[EnsembleEvaluation]:
    """The evaluations of ensembles in some folders, and below them."""
    found: dict[Path, EnsembleEvaluation] = {}
    for path in map(Path, paths):
        for folder, _ in walk(path, lambda *_: None):
            for file in sorted(folder.glob(ENSEMBLES)):
                each = read_or_notify(notify, read_ensemble, file)
                if each is not None:
                    found.setdefault(file.resolve(), each)
    return list(found.values())


def evaluations(found: Sequence[Evaluations]) -> Iterator[Markup]:
    """What `kresnet evaluate` measured, by protocol."""
    rows: list[Row] = []
    for each in found:
        protocol, proxy = each.found[0].protocol, each.group.proxy
        top1 = mean_and_deviation([e.error for e in each.found])
        top5 = mean_and_deviation([e.top5_error for e in each.found])
        rows.append(
            {
                "network": each.group.label,
                "split": protocol.split,
                "views": wide(protocol.views),
                "batch-norm statistics": protocol.batch_norm_statistics,
                "images": protocol.images,
                "n": len(each.found),
                "top-1 error": marked(top1, proxy),
                "top-5 error": marked(top5, proxy),
                "the paper, top-1 / top-5": wide(_paper(each)),
            }
        )
    yield from table(
        "Error in percent, mean ± standard deviation over n runs. The"
        " paper's numbers are those of the same views.",
        rows,
    )


def _paper(found: Evaluations) -> str:
    """The paper's errors in the same test, if all runs may be compared."""
    protocol = found.found[0].protocol
    each = {
        paper_error_of_test(run.spec, protocol, run.record)
        for run in found.group.finished
    }
    return (each.pop() if len(each) == 1 else "") or NOTHING


def ensembles(found: Sequence[EnsembleEvaluation]) -> Iterator[Markup]:
    """A table for each: the networks by themselves, and all together."""
    if found:
        yield element(
            "p",
            "The mean of several networks' probabilities. The papers' numbers"
            " of ensembles stand beside none of these: the top-5 error of"
            " 3.57 % in He et al. 2015 is of six networks on ImageNet's test"
            " images, whose labels are not public.",
            class_="muted",
        )
    for each in found:
        protocols = [member.protocol for member in each.members]
        proxy = any(map(_proxy, each.members))
        measured: list[tuple[Content, Measured, bool]] = [
            *((m.title, m, _proxy(m)) for m in each.members),
            (element("strong", "all together"), each, proxy),
        ]
        yield from table(
            f"Error in percent on {protocols[0].images:,} images"
            f" ({protocols[0].split}) of {protocols[0].data}:"
            f" {_all_of(p.views for p in protocols)}; batch-norm statistics:"
            f" {_all_of(p.batch_norm_statistics for p in protocols)}.",
            [
                {
                    "network": name,
                    "top-1 error": marked(f"{of.error:.2f}", is_proxy),
                    "top-5 error": marked(f"{of.top5_error:.2f}", is_proxy),
                }
                for name, of, is_proxy in measured
            ],
        )


def _all_of(words: Iterable[str]) -> str:
    """What is said of members: once if it is the same of all of them."""
    every = list(words)
    return "; ".join(every if len(set(every)) > 1 else every[:1])


def _proxy(member: Member) -> bool:
    """Whether it was trained for less than was meant; an import was not."""
    imported = member.protocol.seed is None
    return not imported and is_shortened(member.name, member.protocol.iteration)


def confusion(
    reported: ReportedRuns,
    evaluated: Sequence[Evaluations],
    figures: Sequence[ReportFigure],
) -> Iterator[Markup]:
    """The confusion matrices, and how to get those that are missing."""
    yield from map(figure, figures)
    there = {each.group.label for each in evaluated}
    missing = [
        group.label
        for group in reported.groups
        if group.finished and group.label not in there
    ]
    if missing:
        yield element(
            "p",
            "No confusion matrix of ",
            ", ".join(missing),
            ": ",
            element("code", "kresnet evaluate RUN"),
            " measures one.",
            class_="muted",
        )
