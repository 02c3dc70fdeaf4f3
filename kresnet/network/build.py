"""From the `model` part of a spec to a Keras functional model."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from kresnet.architecture import ModelSpec, census, inventory, walk
from kresnet.errors import SpecError
from kresnet.layers import Rematerialized
from kresnet.machine.place import refuse_missing_devices
from kresnet.network.parts import KerasParts
from kresnet.network.precision import full_precision, layer_precision
from kresnet.seeds import check_seed
from kresnet.spec import Spec


def build_model(
    spec: ModelSpec,
    seed: int | None = None,
    *,
    precision: str = "float32",
    rematerialize: bool = False,
) -> keras.Model:
    """Builds the network of a spec, freshly initialised.

    Args:
        spec: The `model` part of a spec.
        seed: Integer in [0, 2**63) that the initial weights are a pure
            function of, the same on every backend; `None` draws one.
        precision: "float32", or "bfloat16" for the convolutions: weights,
            batch-norm statistics and logits stay float32. (Where Keras' floatx
            is float64, that takes the place of float32.)
        rematerialize: Keep only the input of each block for the backward
            pass and compute the rest again: less memory, a third more time.

    Returns:
        A functional model from preprocessed images, float
        `(batch, height, width, channels)`, to logits `(batch, classes)`. It
        draws nothing, in training neither: see `keyed_network`.
        Keras' global dtype policy and image data format do not change it.

    Raises:
        ValueError: An argument is out of range, or `spec` is a whole spec.
        SpecError: The network has not the parameters that the census counts.
        KresnetError: As of `kresnet.machine.place.refuse_missing_devices`.

    Reference:
        He et al. 2015, sections 3.3, 3.4 and 4.2.
    """
    if not isinstance(spec, ModelSpec):
        raise ValueError(
            "`spec` must be the model part of a spec: build_model(spec.model). "
            f"Received: an object of {type(spec)}"
        )
    seed = seed if seed is None else check_seed(seed)
    refuse_missing_devices()
    kind = _Rematerializing if rematerialize else KerasParts
    with deep_recursion(spec), layer_precision(precision):
        images = keras.Input(spec.input, dtype=full_precision(), name="images")
        logits = walk(spec, images, kind(spec, seed))
        network = keras.Model(images, logits, name="network")
    built = sum(math.prod(v.shape) for v in network.trainable_variables)
    counted = census(spec).parameters
    if built != counted:
        raise SpecError(
            f"model: Keras built a network of {built:,} trainable parameters"
            f" where the spec's has {counted:,}; it is not used"
        )
    return network


def find_places(network: keras.Model, spec: ModelSpec) -> KerasParts:
    """Parts that know the `responses`, `branches` and `ends` of a network.

    It is one as `build_model` returns it for the spec, not rematerialised.
    """
    found = Again(spec, network)
    walk(spec, network.input, found)
    return found


def keyed_network(network: keras.Model, spec: ModelSpec) -> keras.Model:
    """The same layers with the keys by which they draw in training.

    Returns:
        A functional model from images, as `network` takes them, keys of the
        images and keys of the iteration, both uint32 `(batch,)`, to logits.
        The keys of the iteration are the same for all images.
    """
    images = keras.Input(network.input_shape[1:], dtype=network.input.dtype)
    parts = Again(spec, network)
    parts.keys = keras.Input((), dtype="uint32", name="image_keys")
    parts.iteration_key = keras.Input((), dtype="uint32", name="iteration_keys")
    with deep_recursion(spec):
        logits = walk(spec, images, parts)
        inputs = [images, parts.keys, parts.iteration_key]
        return keras.Model(inputs, logits, name="keyed_network")


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
        if part.shapes and not {part.place.name, part.place.group} & {*trained}
    }
    layers = [network]
    for layer in layers:  # which grows meanwhile
        layers += getattr(layer, "layers", ())
        if isinstance(layer, Rematerialized):
            layers.append(layer.model)
        if layer.name in frozen:
            layer.trainable = False


class _Rematerializing(KerasParts):
    """Makes a model of each block whose activations are computed twice."""

    def __init__(self, model, seed):
        super().__init__(model, seed)
        self._traced: dict[tuple, Rematerialized] = {}  # the first of a kind

    def define(self, definition, x):
        if self.place.stage is None or not self.place.block:
            return definition(x, self)
        inputs = [keras.Input(x.shape[1:], dtype=x.dtype)]
        if self.model.draws:
            self.keys, self.iteration_key = (
                keras.Input((), dtype="uint32") for _ in range(2)
            )
            inputs += [self.keys, self.iteration_key]
        # Other names than the layers': paths of weights stay what they are.
        block = keras.Model(
            inputs, definition(inputs[0], self), name=self.place.named("block")
        )
        place = self.place
        # What the layers of a block may depend on, besides its number.
        alike = (
            (place.stage, place.stride, place.ends_stage),
            (place.first, place.last),
            place.name if self.model.draws else "",  # streams and survival
            *(x.shape, block.output_shape),
        )
        layer = Rematerialized(
            block, self._traced.get(alike), name=place.named("rematerialized")
        )
        self._traced.setdefault(alike, layer)
        return layer(x)


class Again(KerasParts):
    """Calls the layers of a network, built from the same spec, once more."""

    def __init__(self, model, network):
        super().__init__(model, seed=0)
        self._layers = {layer.name: layer for layer in network.layers}

    def define(self, definition, x):
        """See `Parts.define`; a rematerialised block is one layer."""
        block = self._layers.get(self.place.named("rematerialized"))
        if block is not None:
            return block(x, self.keys, self.iteration_key)
        return super().define(definition, x)

    def apply(self, make, part, *inputs, **more):
        """Calls the layer; see `KerasParts.apply`."""
        return self.layer_called(part)(*inputs)

    def layer_called(self, part: str) -> keras.layers.Layer:
        """The network's layer of that name at this place."""
        return self._layers[self.place.named(part)]


@contextmanager
def deep_recursion(spec: ModelSpec) -> Iterator[None]:
    """Lets Keras recurse once per layer, as it does on building a model."""
    blocks = sum(stage.blocks for stage in spec.stages)
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 1_000 + 100 * blocks))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
