"""The command `kresnet check`."""

import typer

from kresnet.commands.options import Overrides, SpecNames
from kresnet.errors import KresnetError
from kresnet.notices import notify, say


def check(specs: SpecNames, overrides: Overrides = None) -> None:
    """Check specs without building anything."""
    from kresnet.architecture import census
    from kresnet.spec import load_spec

    codes = set()
    for name in specs:
        try:
            spec = load_spec(name, overrides or (), notify=notify)
        except KresnetError as error:
            notify(error)
            codes.add(error.exit_code)
        else:
            counted = census(spec.model)
            say(
                f"{name}: ok, {counted.layers:,} layers,"
                f" {counted.parameters:,} parameters"
            )
    if codes:  # 2 if any spec is wrong, 66 if some are only missing
        raise typer.Exit(min(codes))
