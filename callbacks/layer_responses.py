"""The paper's layer responses, measured while a model trains."""

import contextlib
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import keras
import numpy as np
from keras import ops
from kresnet.callbacks.arguments import check_function
from kresnet.callbacks.iteration_callback import Periodic


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """What runs inside knows nothing of a distribution set outside.

    A model that was built so can be used so in the middle of a distributed
    `fit`, with batches of any size. (The scope of a `tf.distribute` strategy
    is not concerned: callbacks run outside of it.)
    """
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


Name = TypeVar("Name", bound=Hashable)


class ResponseProbe(Generic[Name]):
    """Measures tensors of a functional model over many images.

    Every tensor is reduced to two numbers an image where it is computed, so
    memory grows neither with the depth times the images nor with either.

    Args:
        model: `keras.Model`, functional, run in inference mode.
        tensors: Symbolic tensors of that model by name, such as
            `model.get_layer("bn1").output`.
        before: Layers that are applied to the images first. Defaults to none.
    """

    def __init__(
        self,
        model: keras.Model,
        tensors: Mapping[Name, keras.KerasTensor],
        before: Sequence[keras.layers.Layer] = (),
    ):
        self.names = tuple(tensors)
        inner = keras.Model(model.input, list(tensors.values()))
        dtype = "uint8" if before else model.inputs[0].dtype
        images = keras.Input(model.input_shape[1:], dtype=dtype)
        x = images
        for layer in before:
            x = layer(x)
        outputs = inner(x)
        # A model of one output returns it, and not a list of one.
        outputs = outputs if isinstance(outputs, list) else [outputs]
        self._model = keras.Model(images, [_Moments()(y) for y in outputs])

    def moments(
        self, images: np.ndarray, batch_size: int = 100
    ) -> dict[Name, tuple[float, float]]:
        """Mean and mean square of each tensor over all images and positions.

        Args:
            images: Array `(count, height, width, channels)`, of the type and
                in the units that the first layer takes.
            batch_size: Images at a time.

        Returns:
            By name, the mean and the mean of the squares, in the units of the
            tensor and those squared.

        Raises:
            ValueError: Keras measured a part of the images only.
        """
        found = self._model.predict(images, batch_size=batch_size, verbose=0)
        found = found if isinstance(found, list) else [found]
        if len(found[0]) != len(images):
            raise ValueError(
                "`keras.config.max_steps_per_epoch()` must not end `predict`"
                f" early. Received: values of {len(found[0])} of"
                f" {len(images)} `images`"
            )
        moments = {}
        for name, values in zip(self.names, found, strict=True):
            mean, square = values.mean(axis=0, dtype=np.float64)
            moments[name] = float(mean), float(square)
        return moments


class _Moments(keras.layers.Layer):
    """Mean and mean square of each image, shape `(batch, 2)`."""

    def __init__(self):
        # Whatever the policy outside: squares overflow float16.
        super().__init__(dtype="float32")

    def call(self, inputs):
        values = ops.cast(inputs, "float32")
        axes = tuple(range(1, len(values.shape)))
        return ops.stack(
            [ops.mean(values, axes), ops.mean(ops.square(values), axes)], -1
        )

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 2)


class LayerResponses(Periodic):
    """Measures the standard deviation of layers' outputs, every so often.

    Every `every` iterations and at the last; not before the first, when the
    moving averages of batch norm are those of no image. The standard
    deviation is over all images, positions and channels, in inference mode.
    Also measured: the magnitude of each block's residual relative to its
    shortcut, as the ratio of their root mean squares.

    The measured model may be the trained one, or a copy whose weights have
    the same paths; they are copied before each measurement. Where the training
    is distributed it must be a copy that is not, as must be `before`.

    Args:
        model: `keras.Model`, functional.
        layers: Its tensors to measure, by the name of the layer.
        blocks: Pairs of its tensors, residual and shortcut, by the name of
            the block.
        images: Array, what to measure on.
        every: Integer, iterations between measurements.
        last: Integer, the last iteration of the training.
        write: Called with a list of dicts: `iteration`, `layer`, `std` and
            `images`, how many.
        write_ratios: Called with a list of dicts: `iteration`, `block`,
            `ratio` and `images`. Defaults to `None`.
        before: Layers that are applied to the images first.

    Reference:
        He et al. 2015, section 4.2 and figure 7.
    """

    at_start = False

    def __init__(
        self,
        model: keras.Model,
        layers: Mapping[str, keras.KerasTensor],
        blocks: Mapping[str, tuple[keras.KerasTensor, keras.KerasTensor]],
        images: np.ndarray,
        every: int,
        last: int,
        write: Callable[[list[dict]], None],
        write_ratios: Callable[[list[dict]], None] | None = None,
        before: Sequence[keras.layers.Layer] = (),
    ):
        super().__init__(every, last)
        check_function("write", write)
        check_function("write_ratios", write_ratios)
        if not len(images):
            raise ValueError(
                "`images` must hold at least one image. "
                f"Received: images.shape={np.shape(images)}"
            )
        if not layers and not blocks:
            raise ValueError(
                "`layers` and `blocks` must name at least one tensor. "
                f"Received: layers={layers}, blocks={blocks}"
            )
        self.measured = model
        self.layers = tuple(layers)
        self.blocks = tuple(blocks)
        self.images = images
        self.write = write
        self.write_ratios = write_ratios
        tensors = {("layer", name): tensor for name, tensor in layers.items()}
        for name, (residual, shortcut) in blocks.items():
            tensors["residual", name] = residual
            tensors["shortcut", name] = shortcut
        self._probe = ResponseProbe(model, tensors, before)

    def measure(self) -> tuple[list[dict], list[dict]]:
        """Rows of responses and of ratios, without the iteration."""
        with undistributed():
            moments = self._probe.moments(self.images)
        count = len(self.images)
        responses = []
        for name in self.layers:
            mean, square = moments["layer", name]
            std = math.sqrt(max(0.0, square - mean**2))
            responses.append({"layer": name, "std": std, "images": count})
        ratios = []
        for name in self.blocks:
            residual = moments["residual", name][1]
            shortcut = moments["shortcut", name][1]
            ratio = math.sqrt(residual / shortcut) if shortcut else math.inf
            ratios.append({"block": name, "ratio": ratio, "images": count})
        return responses, ratios

    def act(self):
        copy_weights(self.model, self.measured)
        at = {"iteration": self.iteration}
        responses, ratios = self.measure()
        self.write([at | row for row in responses])
        if self.write_ratios and ratios:
            self.write_ratios([at | row for row in ratios])


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Gives `target` the values of the variables of the same path.

    Raises:
        ValueError: `source` lacks one of them.
    """
    values = {variable.path: variable for variable in source.variables}
    missing = {variable.path for variable in target.variables} - values.keys()
    if missing:
        raise ValueError(
            "`source` must have the variables of `target`. Received: no "
            f"{min(missing)}"
        )
    for variable in target.variables:
        if values[variable.path] is not variable:
            # Through the host: `source` may be spread over devices.
            value = values[variable.path].value
            variable.assign(ops.convert_to_numpy(value))
