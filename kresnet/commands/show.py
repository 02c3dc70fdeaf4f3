"""The command `kresnet show`."""

from kresnet.commands.options import Overrides, SpecName
from kresnet.notices import notify


def show(spec: SpecName, overrides: Overrides = None) -> None:
    """Show the layers, parameters and multiply-adds of a network."""
    from kresnet.architecture import census, layer_table
    from kresnet.spec import load_spec

    loaded = load_spec(spec, overrides or (), notify=notify)
    print(f"{loaded.name}\n")
    print(layer_table(census(loaded.model)))
