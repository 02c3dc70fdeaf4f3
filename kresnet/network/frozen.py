"""Layers that a spec does not train."""

import keras

from kresnet.architecture import inventory
from kresnet.layers import Rematerialized
from kresnet.spec import Spec


def freeze(network: keras.Model, spec: Spec) -> None:
    """Freezes what `training.trained` does not name, if it names anything.

    It comes before an optimiser is built for the rest. Layers are frozen, not
    variables, so that batch norm of a frozen layer normalises by its moving
    averages and keeps them.
    """
    trained = spec.training.trained
    if trained is None:
        return
    frozen = {
        part.name
        for part in inventory(spec.model)
        if part.shapes and not {part.place.name, part.group} & {*trained}
    }
    layers = [network]
    for layer in layers:  # which grows meanwhile
        layers += getattr(layer, "layers", ())
        if isinstance(layer, Rematerialized):
            layers.append(layer.model)
        if layer.name in frozen:
            layer.trainable = False
