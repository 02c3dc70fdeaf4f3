"""The command `kresnet study`."""

import enum
from typing import Annotated

import typer

from kresnet.commands.options import DataDir, refuse_empty_name
from kresnet.errors import SpecError
from kresnet.notices import notify, say, standard_error


class Engine(enum.StrEnum):
    """What runs the runs."""

    local = "local"
    ray = "ray"


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
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A network of the study, to run it and leave the others for"
            " later; may be given several times.",
        ),
    ] = None,
    data_dir: DataDir = None,
    engine: Annotated[
        Engine,
        typer.Option(
            help="local: one run after the other; ray: several at a time, on"
            " this machine or a Ray cluster."
        ),
    ] = Engine.local,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Of a Ray cluster; auto on one of its machines."
            " [default: $RAY_ADDRESS, then a Ray of its own]",
        ),
    ] = None,
    cpus_per_run: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="CPUs that a run reserves with Ray; without a GPU also its"
            " threads, on which its bits depend. [default: 1]",
        ),
    ] = None,
    gpus_per_run: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="GPUs of a run with Ray."
            " [default: 1 if the cluster has any, else 0]",
        ),
    ] = None,
) -> None:
    """Run what is missing of a study, then write its report."""
    from pathlib import Path

    from kresnet.study import (
        RunFailedError,
        load_study,
        parse_budget,
        run_study,
        study_table,
    )

    refuse_empty_name(out)
    runs_them = _engine(engine, address, cpus_per_run, gpus_per_run)
    loaded = load_study(file)
    share = parse_budget(budget)
    name = loaded.name if share == 1 else f"{loaded.name}-{float(share):.4g}"
    folder = Path(out) if out else Path("results") / "studies" / name
    console = standard_error()
    try:
        run_study(
            loaded,
            folder,
            share,
            data_dir,
            lambda planned: console.print(study_table(loaded, share, planned)),
            runs_them,
            only or (),
        )
    except RunFailedError as error:
        notify(error)
        raise typer.Exit(error.exit_code) from error
    notify("reading the runs and drawing the figures")
    from kresnet.reporting import write_report

    page, _ = write_report(
        [folder], folder / "report", lambda text: notify(f"not shown: {text}")
    )
    say(f"report: {page}")


def _engine(
    engine: Engine, address: str | None, cpus: int | None, gpus: int | None
):
    if engine is Engine.ray:
        from kresnet.study.engines.ray import RayEngine

        return RayEngine(address, 1 if cpus is None else cpus, gpus)
    for name, value in (
        ("--address", address),
        ("--cpus-per-run", cpus),
        ("--gpus-per-run", gpus),
    ):
        if value is not None:
            raise SpecError(f"{name}: needs --engine ray. Received: {value}")

    from kresnet.study import one_by_one

    return one_by_one
