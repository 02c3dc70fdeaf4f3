"""The report of any number of runs: one HTML page, and its figures as files."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path

from kresnet.errors import BadDataError, KresnetError
from kresnet.figures import ReportFigure, save_figure
from kresnet.files import make_folder, replace_file
from kresnet.instruments import INSTRUMENTS, Instrument, Measured
from kresnet.reporting import sections
from kresnet.reporting.confusion import confusion_figures
from kresnet.reporting.curves import curve_figures, loss_figures
from kresnet.reporting.groups import (
    Notify,
    ReportedRuns,
    caption,
    read_all_evaluations,
    read_runs,
)
from kresnet.reporting.html import Markup, element, joined
from kresnet.reporting.metrics import read_rows
from kresnet.reporting.sections import (
    deepened_section,
    points_section,
    results_section,
    study_headings,
)

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
        notify: Told what the page does not show, and why.
        instruments: Instruments of your own whose figures are shown, too.

    Returns:
        The page's path and what was read.

    Raises:
        InputMissingError: A path does not exist, or has no run.
        CannotWriteError: The folder cannot be written.
        DiskFullError: The disk is full.
    """
    reported = read_runs([Path(path) for path in paths])
    folder = Path(out)
    make_folder(folder)
    problems: list[str] = []
    every = [*(each() for each in INSTRUMENTS), *instruments]
    evaluations = read_all_evaluations(reported, problems.append)
    figures = [
        dataclasses.replace(figure, number=i)
        for i, figure in enumerate(
            [
                *curve_figures(reported, problems.append),
                *loss_figures(reported),
                *(
                    figure
                    for each in every
                    for figure in instrument_figures(
                        each, reported, problems.append
                    )
                ),
                *confusion_figures(evaluations),
            ],
            start=1,
        )
    ]
    curves, losses, confusion, *measured = (
        [figure for figure in figures if figure.kind == kind]
        for kind in (
            *("curves", "losses", "confusion"),
            *(each.name for each in every),
        )
    )
    deepened = list(deepened_section(reported))
    matrices = list(sections.confusion(reported, evaluations, confusion))
    headings = list(study_headings(reported))
    parts: list[tuple[str, object, Iterable[Markup]]] = [
        # Title, whether there is something to show, what.
        ("Studies", headings, headings),
        ("Results", reported.groups, results_section(reported)),
        ("Not averaged", reported.left_out, sections.left_out(reported)),
        ("Deepened networks", deepened, deepened),
        ("Learning curves", curves, map(sections.figure, curves)),
        ("Validation loss", losses, map(sections.figure, losses)),
        *(
            (each.title, found, map(sections.figure, found))
            for each, found in zip(every, measured, strict=True)
        ),
        ("Evaluations", evaluations, sections.evaluations(evaluations)),
        ("Confusion matrices", matrices, matrices),
        ("Beside the paper", reported.groups, points_section(reported)),
        ("Specs", reported.groups, sections.recipes(reported)),
        ("Runs", reported.groups, sections.runs(reported)),
        ("Not shown", problems, sections.notes(problems)),
    ]
    for problem in problems:
        notify(problem)
    page = _page([(title, what) for title, there, what in parts if there])
    return _write(folder, page, figures), reported


def read_measured(
    instrument: Instrument, folder: Path, label: str
) -> Measured | None:
    """Reads what an instrument wrote into a run's folder.

    Returns:
        `None` where it wrote no file.

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
                notify(str(error))
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


def _write(
    folder: Path,
    text: str,
    figures: list[ReportFigure],
) -> Path:
    page = folder / PAGE
    replace_file(page, text)
    for each in figures:
        for ending in ("png", "svg"):
            save_figure(each.figure, folder / f"{each.name}.{ending}")
    return page


def _page(content: list[tuple[str, Iterable[Markup]]]) -> str:
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
        element("section", element("h2", name), *markup)
        for name, markup in content
    ]
    body = element("body", element("main", element("h1", title), *parts))
    html = element("html", head, body, lang="en")
    return joined(Markup("<!doctype html>\n"), html, "\n")
