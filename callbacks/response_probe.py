"""Moments of tensors inside a model, reduced layer by layer."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from keras import ops


class ResponseProbe:
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
        tensors: Mapping[str, keras.KerasTensor],
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
    ) -> dict[str, tuple[float, float]]:
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
        return {
            name: tuple(np.mean(values, axis=0, dtype=np.float64).tolist())
            for name, values in zip(self.names, found, strict=True)
        }


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
