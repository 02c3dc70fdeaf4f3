"""The command `kresnet report`."""

from typing import Annotated

import typer

from kresnet.commands.options import refuse_empty_name
from kresnet.notices import notify, say


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN_OR_STUDY",
            help="Folders of runs, or folders with runs somewhere below them.",
        ),
    ],
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Where to write.")
    ] = "report",
) -> None:
    """Write one HTML page about runs, and its figures as PNG and SVG."""
    refuse_empty_name(out)
    notify("reading the runs and drawing the figures")
    from kresnet.reporting import write_report

    page, reported = write_report(
        runs, out, lambda text: notify(f"not shown: {text}")
    )
    for each in reported.left_out:
        notify(f"{each.folder}: not averaged: {each.reason}")
    count = sum(len(group.finished) for group in reported.groups)
    say(f"networks: {len(reported.groups)}, runs averaged: {count}")
    say(f"page: {page}")
