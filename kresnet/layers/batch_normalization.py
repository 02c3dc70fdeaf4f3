"""Batch normalisation with statistics over groups of images."""

import keras
from keras import ops

from kresnet.callbacks.arguments import check_integer, check_number

if keras.backend.backend() == "tensorflow":
    from kresnet.layers.normalize_groups_tensorflow import normalize_groups
else:
    from kresnet.layers.normalize_groups import normalize_groups


@keras.saving.register_keras_serializable(package="kresnet")
class BatchNormalization(keras.layers.Layer):
    """Normalises each channel by the statistics of a group of images.

    The paper's mini-batch of 128 ran on two GPUs, and each took its statistics
    over its own 64 images. Here a batch is cut into groups of
    `images_per_statistic` consecutive images, whatever the devices; the moving
    averages take the mean over the groups (and over the replicas of a
    strategy).

    In training `y = gamma (x - mean) / sqrt(variance + epsilon) + beta` with
    the group's own mean and (biased) variance over images, rows and columns;
    in inference with the moving averages, updated in training by
    `moving = momentum * moving + (1 - momentum) * batch`. A frozen layer
    (`trainable = False`) is in inference always, as Keras' own is.

    Args:
        images_per_statistic: Integer, images in a group; must divide the
            batch in training, also the last one of an epoch: drop a smaller
            one. `None` takes the whole batch as one group.
        momentum: Float in [0, 1), of the moving averages. Defaults to `0.9`.
        epsilon: Positive float, added to the variance. Defaults to `1e-5`.

    Call arguments:
        inputs: Tensor of any number type, shape
            `(batch, height, width, channels)`; only the channels must be known,
            and in training none of the sizes may be zero.
        training: Boolean, which statistics to use. Defaults to `False`.

    Returns:
        Tensor of the layer's compute dtype (float32), same shape as `inputs`.

    Reference:
        Ioffe, Szegedy 2015; He et al. 2015, section 4.2 (128 images on two
        GPUs).
    """

    def __init__(
        self, images_per_statistic=None, momentum=0.9, epsilon=1e-5, **kwargs
    ):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=4)
        self.images_per_statistic = images_per_statistic
        if images_per_statistic is not None:
            self.images_per_statistic = check_integer(
                "images_per_statistic", images_per_statistic, 1
            )
        self.momentum = check_number("momentum", momentum, least=0, below=1)
        self.epsilon = check_number("epsilon", epsilon, above=0)

    def build(self, input_shape):
        """Creates scale, offset and moving averages, one per channel."""
        shape = (input_shape[-1],)
        if shape == (None,):
            raise ValueError(
                "`inputs` must have a known number of channels. "
                f"Received: inputs.shape={tuple(input_shape)}"
            )
        # autocast: statistics are float32 also where images are bfloat16.
        self.gamma = self.add_weight(
            name="gamma", shape=shape, initializer="ones", autocast=False
        )
        self.beta = self.add_weight(
            name="beta", shape=shape, initializer="zeros", autocast=False
        )
        # aggregation: otherwise every replica of a strategy keeps its own.
        self.moving_mean = self.add_weight(
            name="moving_mean",
            shape=shape,
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="mean",
        )
        self.moving_variance = self.add_weight(
            name="moving_variance",
            shape=shape,
            initializer="ones",
            trainable=False,
            autocast=False,
            aggregation="mean",
        )

    def call(self, inputs, training=False):
        """See the class."""
        inputs = ops.cast(inputs, self.compute_dtype)  # bytes too
        if not (training and self.trainable):
            scale = self.gamma * ops.rsqrt(self.moving_variance + self.epsilon)
            offset = self.beta - self.moving_mean * scale
            outputs = ops.cast(inputs, scale.dtype) * scale + offset
            return ops.cast(outputs, inputs.dtype)
        if 0 in inputs.shape:
            raise ValueError(
                "`inputs` must hold at least one pixel in training. "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        batch, per_group = inputs.shape[0], self.images_per_statistic
        if batch is not None and per_group and batch % per_group:
            raise ValueError(
                "`images_per_statistic` must divide the batch. Received: "
                f"images_per_statistic={per_group}, a batch of {batch}"
            )
        outputs, mean, variance = normalize_groups(
            inputs, self.gamma, self.beta, per_group, self.epsilon
        )
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        return outputs

    def _move(self, average, statistic):
        """Moves an average towards the statistic, both `(channels,)`."""
        new = ops.cast(statistic, average.dtype)
        # One product less than in the class' formula, and as exact without
        # momentum: nothing is left of what was there before.
        average.assign(new + (average - new) * self.momentum)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return input_shape

    def get_config(self):
        """The arguments of `__init__`."""
        return {
            **super().get_config(),
            "images_per_statistic": self.images_per_statistic,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
