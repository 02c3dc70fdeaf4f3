"""The report of any number of runs: one HTML page, and its figures as files."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from pathlib import Path

from kresnet.errors import write_error
from kresnet.files import replace_file
from kresnet.reporting import sections
from kresnet.reporting.curves import curve_figures, loss_figures
from kresnet.reporting.evaluation_files import read_all_evaluations
from kresnet.reporting.figures import save_figure
from kresnet.reporting.groups import ReportedRuns, read_runs
from kresnet.reporting.html import Markup, element, joined
from kresnet.reporting.layers import (
    ReportFigure,
    confusion_figures,
    gradient_figures,
    response_figures,
)
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
    notify: Callable[[str], None] = lambda _: None,
) -> tuple[Path, ReportedRuns]:
    """Writes `index.html` and the figures of runs as PNG and SVG files.

    The page holds everything it shows and asks for nothing from elsewhere.

    Args:
        paths: Run folders, and folders with run folders below them.
        out: Folder to write to; files that are there are replaced.
        notify: Told what the page does not show, and why.

    Returns:
        The page's path and what was read.

    Raises:
        InputMissingError: A path does not exist, or has no run.
        CannotWriteError: The folder cannot be written.
        DiskFullError: The disk is full.
    """
    reported = read_runs([Path(path) for path in paths])
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    problems: list[str] = []
    evaluations = read_all_evaluations(reported, problems.append)
    figures = [
        dataclasses.replace(figure, number=i)
        for i, figure in enumerate(
            [
                *curve_figures(reported, problems.append),
                *loss_figures(reported),
                *response_figures(reported, problems.append),
                *gradient_figures(reported, problems.append),
                *confusion_figures(evaluations),
            ],
            start=1,
        )
    ]
    curves, losses, responses, gradients, confusion = (
        [figure for figure in figures if figure.kind == kind]
        for kind in ("curves", "losses", "responses", "gradients", "confusion")
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
        ("Layer responses", responses, map(sections.figure, responses)),
        ("Gradient norms", gradients, map(sections.figure, gradients)),
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


def _write(
    folder: Path,
    text: str,
    figures: list[ReportFigure],
) -> Path:
    page = folder / PAGE
    try:
        replace_file(page, text)
    except OSError as error:
        raise write_error(page, error) from error
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
