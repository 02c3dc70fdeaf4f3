"""The command `kresnet responses`."""

from typing import Annotated

import typer

from kresnet.commands.options import DataDir, RunName
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import notify, standard_output


def responses(
    run: RunName,
    images: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Training images to measure on, not augmented; 0 for all.",
        ),
    ] = 1_000,
    initial: Annotated[
        bool,
        typer.Option("--initial", help="Of the initial weights."),
    ] = False,
    data_dir: DataDir = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Also write the responses here, as CSV; a report reads"
            " RUN/responses.csv.",
        ),
    ] = None,
) -> None:
    """Measure the layer responses of a trained network (figure 7)."""
    import_keras_quietly()
    from pathlib import Path

    from kresnet.evaluation import responses, write_responses
    from kresnet.files import check_file
    from kresnet.reporting import rows_table

    if out:
        check_file(Path(out))
    notify(f"measuring responses of {run}")
    layers, blocks = responses(run, images, initial, data_dir)
    try:
        if out:
            write_responses(layers, out)
    finally:  # what took time is shown, also where it cannot be written
        console = standard_output()
        console.print(rows_table(layers, "std of each layer's output"))
        if blocks:
            title = "residual over shortcut, by block"
            console.print(rows_table(blocks, title))
