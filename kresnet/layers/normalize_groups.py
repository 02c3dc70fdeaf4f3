"""Normalisation by group statistics, written in keras.ops."""

from keras import ops


def normalize_groups(inputs, gamma, beta, images_per_group, epsilon):
    """Normalises every channel of every group of images by its own statistics.

    Args:
        inputs: Float tensor, shape `(batch, height, width, channels)`.
        gamma: Float tensor, shape `(channels,)`, the scale.
        beta: Float tensor, shape `(channels,)`, the offset.
        images_per_group: Integer that divides the batch, or `None` for one
            group.
        epsilon: Float, added to the variance.

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
