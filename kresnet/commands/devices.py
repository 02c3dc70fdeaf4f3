"""The command `kresnet devices`."""

from typing import Annotated

import typer

from kresnet.commands.options import DeviceList, Overrides
from kresnet.machine.start_keras import import_keras_quietly
from kresnet.notices import say


def devices(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="[SPEC]",
            help="What would be trained: a YAML file, or a shipped spec.",
        ),
    ] = "resnet20",
    overrides: Overrides = None,
    devices: DeviceList = None,
) -> None:
    """Show the devices of this machine, and which a training would use."""
    from kresnet.spec import load_spec

    loaded = load_spec(spec, overrides or ())
    import_keras_quietly()
    from kresnet.machine.place import overview

    say(*overview(devices, loaded))
