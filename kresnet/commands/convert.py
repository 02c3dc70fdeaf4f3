"""The command `kresnet convert`."""

from typing import Annotated, cast

import typer

from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import say


def convert(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="The folder of a run or of an import."
        ),
    ],
    to: Annotated[
        str,
        typer.Option(metavar="PROGRAM", help="torchvision or keras."),
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="The file to make: .safetensors, .weights.h5."
        ),
    ],
) -> None:
    """Write the weights of a network for another program."""
    import_keras_quietly()
    from kresnet.importing import Program, convert

    name = convert(folder, cast(Program, to), out)
    say(f"weights of {to}'s {name}, without the transforms: {out}")
