"""Commands on weights of other programs: import, convert."""

from typing import Annotated, cast

import typer

from kresnet.commands.arguments import Overrides
from kresnet.files import refuse_empty_name
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import notify, say


def import_weights(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Weights: safetensors, Keras' HDF5, or what torch.save wrote.",
        ),
    ],
    spec: Annotated[
        str,
        typer.Option(
            metavar="SPEC",
            help="The network: a YAML file, or the name of a shipped spec.",
        ),
    ],
    out: Annotated[
        str, typer.Option(metavar="DIR", help="The folder to make.")
    ],
    overrides: Overrides = None,
    naming: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whose names the arrays have. [default: found out]",
        ),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What stands before every name. [default: found out]",
        ),
    ] = None,
    without_classifier: Annotated[
        bool,
        typer.Option(
            "--without-classifier",
            help="Take the rest: to begin a run with, not to evaluate.",
        ),
    ] = False,
    channels: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Channels of the images, where the first kernels in the file"
            " take another number; they are summed.",
        ),
    ] = None,
) -> None:
    """Import weights of another program, to use them like a run."""
    refuse_empty_name(out)
    import_keras_quietly()
    from kresnet.importing import NAMINGS, import_weights

    record = import_weights(
        files,
        spec,
        out,
        overrides=overrides or (),
        naming=naming,
        prefix=prefix,
        classifier=not without_classifier,
        channels=channels,
        notify=notify,
    )
    about = NAMINGS[record.naming].about
    under = f" under {record.prefix!r}" if record.prefix else ""
    say(f"{len(record.arrays):,} arrays, named as in {about}{under}")
    for line in record.changes:
        say(f"  {line}")
    say("assumed, since no file says it:")
    for line in record.assumed:
        say(f"  {line}")
    say(f"  transforms: constants are {record.transforms}")
    say(f"  view: {record.view}")
    for name, why in list(record.left_over.items())[:3]:
        say(f"left over: {name}, {why}")
    if len(record.left_over) > 3:
        say(f"left over: {len(record.left_over) - 3:,} more; see import.json")
    if record.drawn:
        say(f"zeros stand for: {', '.join(record.drawn)}")
    say(f"import: {out}")


def convert(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="The folder of a run or of an import."
        ),
    ],
    to: Annotated[
        str, typer.Option(metavar="PROGRAM", help="torchvision or keras.")
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
