"""Batch normalisation with statistics over groups of images."""

import keras
from keras import ops

from kresnet.callbacks.arguments import check_integer, check_number


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
        first_scale: Float, at least 0: the scales `gamma` at the start.
            Defaults to `1.0`.

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
        self,
        images_per_statistic=None,
        momentum=0.9,
        epsilon=1e-5,
        first_scale=1.0,
        **kwargs,
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
        self.first_scale = check_number("first_scale", first_scale, least=0)

    def build(self, input_shape):
        shape = (input_shape[-1],)
        if shape == (None,):
            raise ValueError(
                "`inputs` must have a known number of channels. "
                f"Received: inputs.shape={tuple(input_shape)}"
            )

        def weight(name, initializer, **more):
            # autocast: statistics are float32 also where images are bfloat16.
            return self.add_weight(
                shape, initializer, name=name, autocast=False, **more
            )

        # aggregation: otherwise every replica of a strategy keeps its own.
        moving = {"trainable": False, "aggregation": "mean"}
        scale = keras.initializers.Constant(self.first_scale)
        self.gamma = weight("gamma", scale)
        self.beta = weight("beta", "zeros")
        self.moving_mean = weight("moving_mean", "zeros", **moving)
        self.moving_variance = weight("moving_variance", "ones", **moving)

    def call(self, inputs, training=False):
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
        normalize = normalize_groups
        if keras.backend.backend() == "tensorflow":
            normalize = fused_normalize_groups
        outputs, mean, variance = normalize(
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
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "images_per_statistic": self.images_per_statistic,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "first_scale": self.first_scale,
        }


def normalize_groups(inputs, gamma, beta, images_per_group, epsilon):
    """Normalises every channel of every group of images by its own statistics.

    Returns:
        The normalised images, shape and dtype of `inputs`, and the mean over
        the groups of their means and of their biased variances, float32 or
        wider, shape `(channels,)`.
    """
    _, height, width, channels = ops.shape(inputs)
    if images_per_group is None:
        shape = (1, -1, channels)
    else:
        shape = (-1, images_per_group * height * width, channels)
    # Not `keras.backend.result_type`: on JAX it takes float64 for float32.
    wide = "float64" if gamma.dtype == "float64" else "float32"
    values = ops.cast(ops.reshape(inputs, shape), wide)
    mean, variance = ops.moments(values, axes=1, keepdims=True)
    scale = gamma * ops.rsqrt(variance + epsilon)
    outputs = values * scale + (beta - mean * scale)
    return (
        ops.cast(ops.reshape(outputs, ops.shape(inputs)), inputs.dtype),
        _mean_over_groups(mean),
        _mean_over_groups(variance),
    )


def _mean_over_groups(statistic):
    # Not `ops.mean`: on JAX it takes float64 to float32.
    groups = ops.cast(ops.shape(statistic)[0], statistic.dtype)
    return ops.sum(statistic, (0, 1)) / groups


def fused_normalize_groups(inputs, gamma, beta, images_per_group, epsilon):
    """Does the same by TensorFlow's fused kernel, where it fits.

    The kernel reads the images once where separate operations read them four
    times: an eighth of the time of a training step of ResNet-20 on a CPU. It
    has no float64 nor scales of float16 and takes one group at a time, so these
    and images of unknown number or size go the general way.
    """
    import tensorflow as tf

    batch, height, width, _ = inputs.shape
    fits = gamma.dtype in ("float32", "bfloat16") and epsilon >= 1e-5
    if not fits or None in inputs.shape:
        if batch is None and images_per_group:
            from kresnet.layers.in_graph_tensorflow import whole_groups

            inputs = whole_groups(inputs, images_per_group)
        # XLA's message, which holds this name, is all it has to say.
        with tf.name_scope("images_per_statistic_must_divide_the_batch"):
            return normalize_groups(
                inputs, gamma, beta, images_per_group, epsilon
            )
    groups = batch // (images_per_group or batch)
    outputs, means, variances = [], [], []
    # Every operation counts: a net of 56 layers is prepared in seconds.
    for part in tf.split(inputs, groups) if groups > 1 else [inputs]:
        output, average, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=part,
            scale=tf.convert_to_tensor(gamma),
            offset=tf.convert_to_tensor(beta),
            mean=[],
            variance=[],
            epsilon=epsilon,
            is_training=True,
        )
        outputs.append(output)
        means.append(average)
        variances.append(variance)

    def mean(tensors):
        return tf.add_n(tensors) / groups if groups > 1 else tensors[0]

    # The kernel reports the unbiased variance, N / (N - 1) of the one it uses.
    count = batch // groups * height * width
    biased = (count - 1) / count if count > 1 else 1.0
    return (
        tf.concat(outputs, 0) if groups > 1 else outputs[0],
        mean(means),
        mean(variances) * biased,
    )
