"""Where the layer responses of figure 7 are in a network."""

import keras

Pair = tuple[keras.KerasTensor, keras.KerasTensor]


def layer_responses(network: keras.Model) -> dict[str, keras.KerasTensor]:
    """Outputs of the 3×3 layers, by name, from input to output.

    After batch norm and before the non-linearity or the addition. A layer is
    named by its block and its place in it: conv2_1_2 is the second one of
    conv2_1. Projections of shortcuts are left out, as in the paper.

    Args:
        network: As `build_model` returns it, not rematerialised.

    Reference:
        He et al. 2015, section 4.2 and figure 7.
    """
    return {
        layer.name.replace("_bn", "_")
        if layer.name != "conv1_bn"
        else "conv1": layer.output
        for layer in network.layers
        if "_bn" in layer.name and not layer.name.endswith("_shortcut_bn")
    }


def block_branches(network: keras.Model) -> dict[str, Pair]:
    """Residual and shortcut of every block that has one, before they add."""
    found = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.Add):
            shortcut, residual = layer.input
            found[layer.name.removesuffix("_add")] = residual, shortcut
    return found
