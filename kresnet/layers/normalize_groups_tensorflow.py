"""The same normalisation through TensorFlow's fused kernel, where it fits.

The fused kernel reads the images once where separate operations read them four
times: an eighth of the time of a training step of ResNet-20 on a CPU.
"""

import tensorflow as tf

from kresnet.layers import normalize_groups as generic
from kresnet.layers.in_graph_tensorflow import whole_groups


def normalize_groups(inputs, gamma, beta, images_per_group, epsilon):
    """See `kresnet.layers.normalize_groups.normalize_groups`.

    The kernel has no float64 nor scales of float16 and takes one group at a
    time, so these and images of unknown number or size go the general way.
    """
    batch, height, width, _ = inputs.shape
    fits = gamma.dtype in ("float32", "bfloat16") and epsilon >= 1e-5
    if not fits or None in inputs.shape:
        if batch is None and images_per_group:
            inputs = whole_groups(inputs, images_per_group)
        # XLA's message, which holds this name, is all it has to say.
        with tf.name_scope("images_per_statistic_must_divide_the_batch"):
            return generic.normalize_groups(
                inputs, gamma, beta, images_per_group, epsilon
            )
    groups = batch // (images_per_group or batch)
    outputs, means, variances = [], [], []
    # Every operation counts: a net of 56 layers is prepared in seconds.
    for part in tf.split(inputs, groups) if groups > 1 else [inputs]:
        output, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=part,
            scale=tf.convert_to_tensor(gamma),
            offset=tf.convert_to_tensor(beta),
            mean=[],
            variance=[],
            epsilon=epsilon,
            is_training=True,
        )
        outputs.append(output)
        means.append(mean)
        variances.append(variance)
    # The kernel reports the unbiased variance, N / (N - 1) of the one it uses.
    count = batch // groups * height * width
    biased = (count - 1) / count if count > 1 else 1.0
    return (
        tf.concat(outputs, 0) if groups > 1 else outputs[0],
        _mean(means),
        _mean(variances) * biased,
    )


def _mean(tensors):
    return tf.add_n(tensors) / len(tensors) if len(tensors) > 1 else tensors[0]
