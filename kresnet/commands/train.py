"""The command `kresnet train`."""

from typing import Annotated, Any

import typer

from kresnet.commands.arguments import (
    DataDir,
    Overrides,
    SpecName,
    with_run_options,
)
from kresnet.machine.children import is_member, supervise
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import say, standard_output


@with_run_options
def train(
    spec: SpecName,
    overrides: Overrides = None,
    seed: Annotated[
        int,
        typer.Option(
            help="Decides the initial weights, the order and all draws."
        ),
    ] = 0,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The run's folder. [default: results/<name>/seed<seed>]",
        ),
    ] = None,
    data_dir: DataDir = None,
    coordinator: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Train one network with other processes: where process 0"
            " listens; auto under SLURM, on JAX also under Kubernetes.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many processes there are."),
    ] = None,
    process: Annotated[
        int | None, typer.Option(metavar="I", help="Which this one is, from 0.")
    ] = None,
    begin_with: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Begin with the weights of this run or import; a classifier of"
            " another size is drawn.",
        ),
    ] = None,
    keep_transforms: Annotated[
        bool,
        typer.Option(
            "--keep-transforms",
            help="Take the statistics of its transforms, too.",
        ),
    ] = False,
    deepen: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Begin with the weights of this run of a shallower plain"
            " net, and added blocks that are the identity.",
        ),
    ] = None,
    **options: Any,
) -> None:
    """Train a spec, or continue the run in its folder."""
    if coordinator is not None and not is_member():
        raise typer.Exit(supervise(coordinator))
    import_keras_quietly()
    from kresnet.errors import CannotWriteError, DiskFullError, SpecError
    from kresnet.machine.team import Membership, follows
    from kresnet.reporting import draw_learning_curve, run_summary
    from kresnet.training import train

    membership = None
    if coordinator is not None:
        membership = Membership(coordinator, processes, process)
    elif (processes, process) != (None, None):
        raise SpecError("--processes and --process: need --coordinator")
    folder = train(
        spec,
        out,
        overrides=overrides or (),
        seed=seed,
        data_dir=data_dir,
        membership=membership,
        begin_with=begin_with,
        keep_transforms=keep_transforms,
        deepen=deepen,
        **options,
    )
    if membership and follows():
        return  # the folder is that of process 0
    standard_output().print(run_summary(folder))
    try:
        say(f"figure: {draw_learning_curve(folder)}")
    except (CannotWriteError, DiskFullError) as error:
        say(f"no figure: {error}")  # the run itself is done and written
