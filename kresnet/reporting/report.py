"""The report of any number of runs: one HTML page, and its figures as files."""

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path

from kresnet.errors import BadDataError, KresnetError
from kresnet.figures import ReportFigure, save_figure
from kresnet.files import make_folder, replace_file
from kresnet.instruments import INSTRUMENTS, Instrument, Measured
from kresnet.records.metrics import read_rows
from kresnet.reporting import evaluations, sections
from kresnet.reporting.confusion import confusion_figures
from kresnet.reporting.curves import curve_figures
from kresnet.reporting.evaluations import read_all_evaluations, read_ensembles
from kresnet.reporting.families import read_families
from kresnet.reporting.groups import (
    Notify,
    ReportedRuns,
    caption,
    read_runs,
)
from kresnet.reporting.html import Markup, bullets, element, figure, joined
from kresnet.reporting.losses import loss_figures

PAGE = "index.html"


def write_report(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    notify: Notify = lambda _: None,
    instruments: Sequence[Instrument] = (),
) -> tuple[Path, ReportedRuns]:
    """Writes `index.html` and the figures of runs as PNG and SVG files.

    The page holds everything it shows and asks for nothing from elsewhere.

    Args:
        paths: Run folders, and folders with run folders below them.
        out: Folder to write to; files that are there are replaced.
        notify: Is told what the page does not show, and why.
        instruments: Instruments of your own whose figures are shown, too.

    Returns:
        The page's path and what was read.

    Raises:
        InputMissingError: A path does not exist, or has neither a run nor the
            evaluation of an ensemble.
        CannotWriteError: The folder cannot be written.
        DiskFullError: The disk is full.
    """
    reported = read_runs([Path(path) for path in paths])
    folder = Path(out)
    make_folder(folder)
    problems: list[str] = []
    every = [*(each() for each in INSTRUMENTS), *instruments]
    evaluated = read_all_evaluations(reported, problems.append)
    ensembles = read_ensembles(paths, problems.append)
    families = read_families(reported, problems.append)
    number = itertools.count(1)
    curves, losses, *measured, confusion = (
        [dataclasses.replace(each, number=next(number)) for each in found]
        for found in (
            curve_figures(families),
            loss_figures(families),
            *(instrument_figures(x, reported, problems.append) for x in every),
            confusion_figures(evaluated),
        )
    )
    parts: list[tuple[str, Iterable[Markup]]] = [
        ("Studies", sections.studies(reported)),
        ("Results", sections.results(reported)),
        ("Not averaged", sections.left_out(reported)),
        ("Deepened networks", sections.deepened(reported)),
        ("Learning curves", map(figure, curves)),
        ("Validation loss", map(figure, losses)),
        *(
            (each.title, map(figure, found))
            for each, found in zip(every, measured, strict=True)
        ),
        ("Evaluations", evaluations.evaluations(evaluated)),
        ("Ensembles", evaluations.ensembles(ensembles)),
        (
            "Confusion matrices",
            evaluations.confusion(reported, evaluated, confusion),
        ),
        ("Beside the paper", sections.points(reported)),
        ("Specs", sections.recipes(reported)),
        ("Runs", sections.runs(reported)),
        ("Not shown", [bullets(problems)] if problems else []),
    ]
    for problem in problems:
        notify(problem)
    page = folder / PAGE
    replace_file(page, _page(parts))
    for each in itertools.chain(curves, losses, *measured, confusion):
        for ending in ("png", "svg"):
            save_figure(each.figure, folder / f"{each.name}.{ending}")
    return page, reported


def read_measured(
    instrument: Instrument, folder: Path, label: str
) -> Measured | None:
    """What an instrument wrote into a run's folder; `None` without a file.

    Raises:
        InputMissingError: The file has no row.
        BadDataError: It is not a table of that instrument.
    """
    path = Path(folder) / f"{instrument.tables[0].name}.csv"
    if not path.exists():
        return None
    try:
        return Measured(label, instrument.read(read_rows(path)))
    except (KeyError, TypeError, ValueError) as error:
        raise BadDataError(
            f"{path}: must be a table of {instrument.numbers}"
        ) from error


def instrument_figures(
    instrument: Instrument, reported: ReportedRuns, notify: Notify
) -> Iterator[ReportFigure]:
    """A figure for every data set with the runs that were measured."""
    datasets: dict[str, list[tuple[Measured, bool]]] = {}
    for group in reported.groups:
        for run in group.finished if instrument.finished_only else group.runs:
            try:
                measured = read_measured(instrument, run.folder, group.shown)
            except KresnetError as error:
                notify(str(error).replace("\n", "; "))
                continue
            if measured:
                found = datasets.setdefault(group.spec.data.dataset, [])
                found.append((measured, group.proxy))
    for name, found in datasets.items():
        title = f"{instrument.title} on {name}"
        runs = [measured for measured, _ in found]
        yield ReportFigure(
            instrument.name,
            title,
            caption(instrument.caption, any(proxy for _, proxy in found)),
            " ".join(map(instrument.summary, runs)),
            instrument.figure(runs, title),
        )


def _page(content: Sequence[tuple[str, Iterable[Markup]]]) -> str:
    style = resources.files("kresnet.reporting") / "style.css"
    title = "Residual networks: report of runs"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element(
            "meta",
            name="viewport",
            content="width=device-width, initial-scale=1",
        ),
        element("title", title),
        element("style", Markup(style.read_text(encoding="utf-8"))),
    )
    parts = [
        element("section", element("h2", name), *shown)
        for name, markup in content
        if (shown := list(markup))
    ]
    body = element("body", element("main", element("h1", title), *parts))
    html = element("html", head, body, lang="en")
    return joined(Markup("<!doctype html>\n"), html, "\n")
