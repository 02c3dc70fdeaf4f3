"""The command `kresnet train`."""

from typing import Annotated

import typer

from kresnet.commands.options import (
    DataDir,
    DeviceList,
    Overrides,
    SpecName,
)
from kresnet.machine.children import is_member, supervise
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import say, standard_output


def train(
    spec: SpecName,
    overrides: Overrides = None,
    seed: Annotated[
        int, typer.Option(help="Of initial weights, order and draws.")
    ] = 0,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The run's folder. [default: results/<name>/seed<seed>]",
        ),
    ] = None,
    data_dir: DataDir = None,
    checkpoint_every: Annotated[
        int, typer.Option(metavar="N", help="Iterations between checkpoints.")
    ] = 1_000,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Continue only where the result stays bit-identical.",
        ),
    ] = False,
    precision: Annotated[
        str,
        typer.Option(metavar="float32|bfloat16", help="Of the convolutions."),
    ] = "float32",
    rematerialize: Annotated[
        bool,
        typer.Option(
            "--rematerialize",
            help="For very deep nets: compute activations twice instead of"
            " keeping them. Less memory, a third more time, the same result.",
        ),
    ] = False,
    responses_every: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Measure layer responses (figure 7) every N iterations.",
        ),
    ] = None,
    response_images: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Training images they are measured on; 0 for all.",
        ),
    ] = 1_000,
    gradients_every: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Measure gradient norms by layer every N iterations.",
        ),
    ] = None,
    devices: DeviceList = None,
    coordinator: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Train one network with other processes (JAX): where process 0"
            " listens; auto under SLURM and Kubernetes.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many processes there are."),
    ] = None,
    process: Annotated[
        int | None,
        typer.Option(metavar="I", help="Which this one is, from 0."),
    ] = None,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic",
            help="Equal bits each time on GPUs too; slower. CPUs always are.",
        ),
    ] = False,
    wait_for_lock: Annotated[
        int,
        typer.Option(
            metavar="SECONDS", help="Wait for another process in the folder."
        ),
    ] = 0,
    deepen: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Begin with the weights of this run of a shallower plain"
            " net, and added blocks that are the identity.",
        ),
    ] = None,
) -> None:
    """Train a spec, or continue the run in its folder."""
    if coordinator is not None and not is_member():
        raise typer.Exit(supervise(coordinator))
    import_keras_quietly()
    from kresnet.errors import CannotWriteError, DiskFullError, SpecError
    from kresnet.machine.team import Membership, Team
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
        checkpoint_every=checkpoint_every,
        strict=strict,
        precision=precision,
        rematerialize=rematerialize,
        responses_every=responses_every,
        response_images=response_images,
        gradients_every=gradients_every,
        devices=devices,
        deterministic=deterministic,
        membership=membership,
        wait_for_lock=wait_for_lock,
        deepen=deepen,
    )
    if membership and Team.follows():
        return  # the folder is that of process 0
    standard_output().print(run_summary(folder))
    try:
        say(f"figure: {draw_learning_curve(folder)}")
    except (CannotWriteError, DiskFullError) as error:
        say(f"no figure: {error}")  # the run itself is done and written
