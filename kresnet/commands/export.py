"""The command `kresnet export`."""

from typing import Annotated

import typer

from kresnet.commands.options import DataDir, RunName
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import notify, say


def export(
    run: RunName,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The folder to make. [default: RUN/export, or"
            " RUN/export-<format>]",
        ),
    ] = None,
    format: Annotated[
        str, typer.Option(help="tf_saved_model, litert or onnx.")
    ] = "tf_saved_model",
    data_dir: DataDir = None,
) -> None:
    """Export a trained network for use without kresnet."""
    import_keras_quietly()
    from kresnet.exporting import export

    notify(f"exporting {run} and comparing the export with it")
    say(f"export: {export(run, out, format, data_dir)}")
