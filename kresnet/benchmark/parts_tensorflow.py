"""An iteration up to its transforms, its loss, its gradients, its update."""

import keras
import tensorflow as tf

from kresnet.benchmark.serving import Part, timed
from kresnet.benchmark.training_path import TrainingPath
from kresnet.training.loop.steps_tensorflow import mean_over_parts


def parts(path: TrainingPath) -> dict[str, Part]:
    """Compiled functions, each doing what the one before does and more."""
    model, batch = path.model, path.order.batch_size

    def transforms(indices, keys):
        pixels = tf.gather(model.images, indices)
        return path.transforms_model([pixels, keys], training=True)

    def loss(indices, keys):
        labels = tf.gather(model.labels, indices)
        pixels = tf.gather(model.images, indices)
        # The moving averages stay: parts of a batch must not both move them.
        with keras.StatelessScope():
            logits = model([pixels, keys], training=True)
        return [
            tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
        ]

    def forward(indices, keys):
        return mean_over_parts(loss, (indices, keys), model.passes(batch))

    functions = {
        "transforms": transforms,
        "forward": forward,
        "backward": model.gradients,
        "update": model._iteration,
    }
    return {name: _part(f, path.order) for name, f in functions.items()}


def _part(function, order) -> Part:
    compiled = tf.function(function, jit_compile=False)

    def run(iterations: int) -> None:
        indices, keys = map(tf.constant, order.batches(0, iterations))
        for i in range(iterations):
            result = compiled(indices[i], keys[i])
        for tensor in tf.nest.flatten(result):
            tensor.numpy()

    return timed(run)
