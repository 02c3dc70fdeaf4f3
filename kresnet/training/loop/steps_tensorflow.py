"""Updates on TensorFlow: traced once, and the passes of its graph optimiser."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from kresnet.layers import BatchNormalization
from kresnet.training.loop.loop import CAPACITY


def mean_over_parts(
    function: Callable[..., list[tf.Tensor]],
    arguments: Sequence[tf.Tensor],
    parts: int,
) -> list[tf.Tensor]:
    """The mean of what a function returns for equal parts of its arguments.

    The function is in the graph once. Its results travel as one vector, since
    a loop over many tensors takes TensorFlow long to prepare. (Adding them up
    inside the loop fails: with a loop in a loop, the temporary variables of
    TensorFlow's graph optimiser meet.)

    Args:
        function: Takes a part of each argument; returns tensors of `floatx`
            whose shapes are known.
        arguments: Tensors with the same first axis.
        parts: How many; divides that axis. The results of all are kept until
            the last is done.

    Returns:
        Tensors in the order of the function's.
    """
    if parts == 1:
        return function(*arguments)
    shapes = []

    def flat(part):
        results = function(*part)
        shapes[:] = [result.shape for result in results]
        return tf.concat([_reshaped(result, [-1]) for result in results], 0)

    vectors = tf.map_fn(
        flat,
        [
            tf.reshape(argument, (parts, -1, *argument.shape[1:]))
            for argument in arguments
        ],
        fn_output_signature=keras.config.floatx(),
        # Beside each other they keep more cores busy than one at a time does;
        # outside a graph TensorFlow cannot, and says so.
        parallel_iterations=None if tf.executing_eagerly() else 2,
    )
    mean = tf.reduce_mean(vectors, 0)
    sizes = [shape.num_elements() for shape in shapes]
    return [
        _reshaped(part, shape)
        for part, shape in zip(tf.split(mean, sizes), shapes, strict=True)
    ]


def _reshaped(tensor, shape):
    # Most are vectors: scales, offsets, moving averages.
    if len(tensor.shape) == len(shape) == 1:
        return tensor
    return tf.reshape(tensor, shape)


# Passes of TensorFlow's graph optimiser that find nothing to do in a training
# step on a CPU, and take a quarter of the time from the graph to its first run
# (56 layers).
IDLE_ON_CPU = (
    "arithmetic_optimization",
    "layout_optimizer",
    "loop_optimization",
    "remapping",
)


class ChunkModel(keras.Model):
    """A model whose step of `fit` is a chunk of iterations.

    See `kresnet.training.loop.loop` for what a chunk is. The images stay on the
    device as bytes; a chunk brings indices and keys.

    Under a strategy with several replicas a chunk is one iteration, since
    replicas cannot exchange gradients inside a loop. Each takes its part of
    the batch; the loss and the gradient are the means of theirs.

    On a CPU the groups of batch norm go through the network by themselves, as
    on the paper's two GPUs, and the gradient is the mean of theirs: no layer
    has to cut a batch and join it. Small groups stay together, as all do on
    an accelerator.

    Attributes:
        smallest_pass: Images; groups of fewer stay together, since passes of
            so few take longer than cutting and joining (results/speed.md).
    """

    logs_are_per_iteration = True
    smallest_pass = 16

    @property
    def replicas(self):
        """Number of replicas of the strategy that the model was made in."""
        return self.distribute_strategy.num_replicas_in_sync

    @property
    def capacity(self):
        """The most iterations in a chunk."""
        return CAPACITY if self.replicas == 1 else 1

    def hold(self, images, labels):
        """Puts the training images and labels on the device.

        On a CPU it also switches the passes `IDLE_ON_CPU` off, in the whole
        process.

        Args:
            images: uint8 array, shape `(count, height, width, channels)`.
            labels: Integer array, shape `(count,)`.
        """
        if self.replicas == 1:
            self.images = tf.constant(images)
            self.labels = tf.constant(labels)
            self._on_cpu = "CPU" in self.images.device
        else:
            devices = self.distribute_strategy.extended.worker_devices
            self._on_cpu = all("CPU" in device for device in devices)
            # As variables every replica has them on its own device.
            with self.distribute_strategy.scope():
                self.images = tf.Variable(images, trainable=False)
                self.labels = tf.Variable(labels, trainable=False)
        if self._on_cpu:
            tf.config.optimizer.set_experimental_options(
                dict.fromkeys(IDLE_ON_CPU, False)
            )

    def fit_chunks(self, steps, callbacks, batch):
        """Calls `fit` on chunks.

        Args:
            steps: Makes an iterator of chunks.
            callbacks: Of `fit`.
            batch: Number of examples in a batch.
        """
        shape = (batch, self.capacity)
        # Not the generator itself: `fit` would forget the size of the batch,
        # and batch norm, not knowing it, leave the fused kernel, a fifth of
        # the whole time; and under a strategy it would lose the first batch.
        data = tf.data.Dataset.from_generator(
            steps,
            output_signature=(
                tf.TensorSpec(shape, "int32"),
                tf.TensorSpec(shape, "uint32"),
                tf.TensorSpec((batch,), "int32"),
            ),
        )
        self.fit(data, callbacks=callbacks, shuffle=False, verbose=0)

    def train_step(self, data):
        """Runs the iterations of a chunk.

        Args:
            data: `(indices, keys, count)`: int32 and uint32 of shape
                `(batch, capacity)`, of which the first `count[0]` are run;
                `batch` is the replica's part.

        Returns:
            Dict of `loss` and `accuracy` of each iteration, shape `(count,)`;
            of several replicas the replica's own, of one iteration.
        """
        indices, keys, count = data
        if self.replicas > 1:
            loss, accuracy = self._iteration(indices[:, 0], keys[:, 0])
            return {"loss": loss, "accuracy": accuracy}
        count = count[0]
        dtype = keras.config.floatx()
        losses = tf.TensorArray(dtype, size=count, element_shape=())
        accuracies = tf.TensorArray(dtype, size=count, element_shape=())

        def iterate(i, losses, accuracies):
            loss, accuracy = self._iteration(indices[:, i], keys[:, i])
            return i + 1, losses.write(i, loss), accuracies.write(i, accuracy)

        _, losses, accuracies = tf.while_loop(
            lambda i, *_: i < count,
            iterate,
            (tf.constant(0), losses, accuracies),
            parallel_iterations=1,
        )
        return {"loss": losses.stack(), "accuracy": accuracies.stack()}

    def gradients(self, indices, keys):
        """Gradients of the loss on one batch; nothing else changes.

        Args:
            indices: int32 array, shape `(batch,)`.
            keys: uint32 array, shape `(batch,)`.

        Returns:
            Tensors in the order of `trainable_variables`.
        """
        indices, keys = map(tf.convert_to_tensor, (indices, keys))
        gradients, *_ = self._forward_and_backward(indices, keys)
        return gradients

    def passes(self, batch):
        """In how many parts a batch goes through the network.

        Args:
            batch: Images in it, or in the replica's part of it.

        Returns:
            Integer: the groups of batch norm, or 1 where they stay together.
        """
        # The same in all layers; `None` is a batch.
        group = self._batch_norms()[0].images_per_statistic or batch
        # One that does not divide the batch is refused by batch norm.
        if not self._on_cpu or group < self.smallest_pass or batch % group:
            return 1
        return batch // group

    def _batch_norms(self):
        return [
            layer
            for layer in self._flatten_layers()
            if isinstance(layer, BatchNormalization)
        ]

    def _moving_averages(self):
        # Not frozen ones: a mean of equal numbers may be another number.
        return [
            variable
            for norm in self._batch_norms()
            if norm.trainable
            for variable in (norm.moving_mean, norm.moving_variance)
        ]

    def _examples(self, indices):
        # Read whole first: gathering from a variable is another kernel.
        return (
            tf.gather(tf.convert_to_tensor(self.images), indices),
            tf.gather(tf.convert_to_tensor(self.labels), indices),
        )

    def _iteration(self, indices, keys):
        gradients, averages, loss, accuracy = self._forward_and_backward(
            indices, keys
        )
        if self.replicas > 1:
            gradients = self._share_of_mean(gradients)
        # Nothing of an update without a batch: where the data ends, each
        # replica would count another iteration, or would not.
        with tf.control_dependencies([loss]):
            self.optimizer.apply_gradients(
                zip(gradients, self.trainable_variables, strict=True)
            )
        for variable, value in zip(
            self._moving_averages(), averages, strict=True
        ):
            variable.assign(value)
        return loss, accuracy

    def _forward_and_backward(self, indices, keys):
        """Gradients, moving averages, loss, accuracy; assigns nothing."""
        # All else that is not trained, the statistics of transforms, stays.
        moving = self._moving_averages()
        variables = [*self.trainable_variables, *moving]
        values = [tf.convert_to_tensor(each.value) for each in variables]
        count = len(self.trainable_variables)
        weights = values[:count]

        def run(indices, keys):
            pixels, labels = self._examples(indices)
            given = list(zip(variables, values, strict=True))
            with (
                tf.GradientTape() as tape,
                keras.StatelessScope(given) as scope,
            ):
                tape.watch(weights)
                logits = self([pixels, keys], training=True)
                loss = tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(
                        labels, logits
                    )
                )
            moved = [scope.get_current_value(v) for v in moving]
            hits = tf.argmax(logits, 1, output_type=labels.dtype) == labels
            accuracy = tf.reduce_mean(tf.cast(hits, loss.dtype))
            return [*tape.gradient(loss, weights), *moved, loss, accuracy]

        *results, loss, accuracy = mean_over_parts(
            run, (indices, keys), self.passes(indices.shape[0])
        )
        return results[:count], results[count:], loss, accuracy

    def _share_of_mean(self, gradients):
        """What the replicas' sum, which the optimiser takes, is the mean of."""
        if limit := self.optimizer.global_clipnorm:
            # Keras would clip every replica's own gradient, not the mean.
            context = tf.distribute.get_replica_context()
            mean = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
            gradients, _ = tf.clip_by_global_norm(mean, limit)
        return [gradient / self.replicas for gradient in gradients]
