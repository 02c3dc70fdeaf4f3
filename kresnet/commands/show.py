"""The command `kresnet show`."""

from kresnet.commands.notices import say
from kresnet.commands.options import Overrides, SpecName


def show(spec: SpecName, overrides: Overrides = None) -> None:
    """Show the layers, parameters and multiply-adds of a network."""
    from kresnet.census import census, layer_table
    from kresnet.spec import load_spec

    loaded = load_spec(spec, overrides or (), notify=say)
    print(f"{loaded.name}\n")
    print(layer_table(census(loaded.model)))
