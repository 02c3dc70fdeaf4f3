"""Many iterations as one step of `fit`, on TensorFlow."""

import keras
import tensorflow as tf


class ChunkModel(keras.Model):
    """A model whose step of `fit` is a chunk of iterations.

    See `kresnet.training.chunks` for what a chunk is. The images stay on the
    device as bytes; a chunk brings indices and keys.
    """

    logs_are_per_iteration = True

    def hold(self, images, labels):
        """Puts the training images and labels on the device.

        Args:
            images: uint8 array, shape `(count, height, width, channels)`.
            labels: Integer array, shape `(count,)`.
        """
        self.images = tf.constant(images)
        self.labels = tf.constant(labels)

    def train_step(self, data):
        """Runs the iterations of a chunk.

        Args:
            data: `(indices, keys, count)`: int32 and uint32 of shape
                `(capacity, batch)`, of which the first `count[0]` are run.

        Returns:
            Dict of `loss` and `accuracy` of each iteration, shape `(count,)`.
        """
        indices, keys, count = data
        count = count[0]
        dtype = keras.config.floatx()
        losses = tf.TensorArray(dtype, size=count, element_shape=())
        accuracies = tf.TensorArray(dtype, size=count, element_shape=())

        def iterate(i, losses, accuracies):
            loss, accuracy = self._iteration(indices[i], keys[i])
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
        weights = [
            tf.convert_to_tensor(v.value) for v in self.trainable_weights
        ]
        averages = [
            tf.convert_to_tensor(v.value) for v in self.non_trainable_variables
        ]
        pixels = tf.gather(self.images, indices)
        labels = tf.gather(self.labels, indices)
        with tf.GradientTape() as tape:
            tape.watch(weights)
            # Stateless: the averages of batch norm must not move.
            logits, _ = self.stateless_call(
                weights, averages, [pixels, keys], training=True
            )
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
        return tape.gradient(loss, weights)

    def _iteration(self, indices, keys):
        pixels = tf.gather(self.images, indices)
        labels = tf.gather(self.labels, indices)
        with tf.GradientTape() as tape:
            logits = self([pixels, keys], training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
        weights = self.trainable_weights
        gradients = tape.gradient(loss, weights)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        hits = tf.argmax(logits, 1, output_type=labels.dtype) == labels
        return loss, tf.reduce_mean(tf.cast(hits, loss.dtype))
