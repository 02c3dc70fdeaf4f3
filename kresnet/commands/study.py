"""The command `kresnet study`."""

from typing import Annotated

import typer

from kresnet.commands.options import DataDir


def study(
    file: Annotated[
        str,
        typer.Argument(
            metavar="STUDY", help="A YAML file, or a shipped study's name."
        ),
    ],
    budget: Annotated[
        str,
        typer.Option(
            metavar="SHARE",
            help="Share of the iterations, such as 5%: a proxy.",
        ),
    ] = "100%",
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The study's folder. [default: results/studies/<name>,"
            " and -<budget> below 100%]",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Run what is missing of a study, then write its report."""
    from pathlib import Path

    from rich.console import Console

    from kresnet.reporting import write_report
    from kresnet.study import (
        RunFailedError,
        load_study,
        parse_budget,
        run_study,
        study_table,
    )

    loaded = load_study(file)
    share = parse_budget(budget)
    name = loaded.name if share == 1 else f"{loaded.name}-{float(share):.4g}"
    folder = Path(out) if out else Path("results") / "studies" / name
    console = Console(stderr=True)
    try:
        run_study(
            loaded,
            folder,
            share,
            data_dir,
            lambda planned: console.print(study_table(loaded, share, planned)),
        )
    except RunFailedError as error:
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(error.exit_code) from error
    page, _ = write_report([folder], folder / "report")
    print(f"report: {page}")
