"""Commands about several runs: study, report."""

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kresnet.commands.arguments import DataDir
from kresnet.errors import SpecError
from kresnet.files import refuse_empty_name
from kresnet.notices import notify, say, standard_error

if TYPE_CHECKING:  # it imports what `kresnet --help` has no time for
    from kresnet.reporting.groups import ReportedRuns
    from kresnet.study.study import Engine


EngineName = enum.StrEnum("EngineName", ["local", "ray", "slurm"])
# The engines that an option is for, where it is not for SLURM's alone.
ENGINES = {
    "--address": "ray",
    "--cpus-per-run": "ray or slurm",
    "--gpus-per-run": "ray or slurm",
}


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
        EngineName,
        typer.Option(
            help="local: one run after the other; ray: several at a time, on"
            " this machine or a Ray cluster; slurm: each as a job of SLURM."
        ),
    ] = EngineName.local,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="The address of a Ray cluster; auto on one of its machines."
            " [default: $RAY_ADDRESS, then a Ray of its own]",
        ),
    ] = None,
    cpus_per_run: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="CPUs that a run reserves with Ray or SLURM; without a GPU"
            " also its threads, on which its bits depend. [default: 1]",
        ),
    ] = None,
    gpus_per_run: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="GPUs of a run with Ray or SLURM. [default: 0 with SLURM;"
            " with Ray 1 if the cluster has any, else 0]",
        ),
    ] = None,
    partition: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The partition of SLURM's jobs."),
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The account of SLURM's jobs."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time limit of a job of SLURM, as of sbatch; a run that takes"
            " longer goes on in the next. [default: 60 minutes]",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Memory of a job of SLURM, such as 8G."
        ),
    ] = None,
    slurm_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Another option of sbatch; may be given several times.",
        ),
    ] = None,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="Return when all jobs are in SLURM's queue; the same command"
            " looks at them.",
        ),
    ] = False,
    cancel: Annotated[
        bool,
        typer.Option(
            "--cancel", help="Cancel the study's jobs of SLURM; the runs save."
        ),
    ] = False,
) -> None:
    """Run what is missing of a study, then write its report."""
    from kresnet.study import (
        RunFailedError,
        load_study,
        parse_budget,
        run_study,
        study_table,
    )

    refuse_empty_name(out)
    loaded = load_study(file)
    share = parse_budget(budget)
    name = loaded.name if share == 1 else f"{loaded.name}-{float(share):.4g}"
    folder = Path(out) if out else Path("results") / "studies" / name
    console = standard_error()
    runs_them = _engine(
        engine,
        folder,
        {
            "--address": address,
            "--cpus-per-run": cpus_per_run,
            "--gpus-per-run": gpus_per_run,
            "--partition": partition,
            "--account": account,
            "--time": time,
            "--memory": memory,
            "--slurm-option": slurm_option,
            "--detach": detach or None,
            "--cancel": cancel or None,
        },
    )
    if cancel:
        say(f"jobs cancelled: {runs_them.cancel()}")  # type: ignore[attr-defined]
        return
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
    if unfinished := getattr(runs_them, "unfinished", 0):
        say(f"runs in SLURM's queue: {unfinished}; the same command looks")
        return
    page, _ = _write_report([folder], folder / "report")
    say(f"report: {page}")


def _engine(
    engine: EngineName, folder: Path, options: dict[str, Any]
) -> "Engine":
    """Makes the engine; the options are by their names, `None` if not given."""
    for name, value in options.items():
        engines = ENGINES.get(name, "slurm")
        if value is not None and engine not in engines.split(" or "):
            raise SpecError(
                f"{name}: needs --engine {engines}. Received: {value}"
            )
    cpus, gpus = options["--cpus-per-run"] or 1, options["--gpus-per-run"]
    if engine == "ray":
        from kresnet.study.engines.ray import RayEngine

        return RayEngine(options["--address"], cpus, gpus)
    if engine == "slurm":
        from kresnet.study.engines import slurm as jobs

        named = {
            "partition": options["--partition"],
            "account": options["--account"],
            "mem": options["--memory"],
        }
        given = {name: x for name, x in named.items() if x is not None}
        time = options["--time"]
        return jobs.SlurmEngine(
            folder,
            given | jobs.parse_options(options["--slurm-option"] or ()),
            jobs.MINUTES if time is None else jobs.parse_minutes(time),
            cpus,
            gpus or 0,
            options["--detach"] is not None,
        )

    from kresnet.study import one_by_one

    return one_by_one


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
    page, reported = _write_report(runs, out)
    for each in reported.left_out:
        notify(f"{each.folder}: not averaged: {each.reason}")
    count = sum(len(group.finished) for group in reported.groups)
    if reported.groups:  # there may be ensembles alone
        say(f"networks: {len(reported.groups)}, runs averaged: {count}")
    say(f"page: {page}")


def _write_report(
    runs: Sequence[str | Path], out: str | Path
) -> tuple[Path, "ReportedRuns"]:
    notify("reading the runs and drawing the figures")
    from kresnet.reporting import write_report

    return write_report(runs, out, lambda text: notify(f"not shown: {text}"))
