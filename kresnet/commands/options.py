"""Arguments and options that several commands share."""

from typing import Annotated

import typer

RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="The folder of a run.")
]
DataDir = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Folder of prepared TFDS data sets."
        " [default: $KRESNET_DATA_DIR, then TFDS's own]",
    ),
]
