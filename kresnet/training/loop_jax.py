"""Many iterations as one step of `fit`, on JAX."""

import functools

import jax
import keras
import numpy as np
from jax import numpy as jnp


class ChunkModel(keras.Model):
    """A model whose step of `fit` is a chunk of iterations.

    See `kresnet.training.chunks` for what a chunk is. The images stay on the
    device as bytes; a chunk brings indices and keys.

    On an accelerator the iterations of a chunk are one compiled program whose
    number of turns is an argument, so that no length of a chunk compiles anew.
    On a CPU they are calls of one compiled iteration: inside a loop XLA's
    convolutions take some thirty times as long there (jax-ml/jax issue 12868),
    and a call costs next to nothing.

    Attributes:
        one_program: Whether a chunk is one program.
    """

    logs_are_per_iteration = True
    one_program = jax.default_backend() != "cpu"

    def hold(self, images, labels):
        """Puts the training images and labels on the device.

        Args:
            images: uint8 array, shape `(count, height, width, channels)`.
            labels: Integer array, shape `(count,)`.
        """
        self.images = jnp.asarray(images)
        self.labels = jnp.asarray(labels)

    def make_train_function(self, force=False):
        """Compiles the chunk; the state's buffers are reused."""
        if self.train_function is not None and not force:
            return
        if self.one_program:
            run_chunk = jax.jit(self._chunk, donate_argnums=0)
        else:
            iteration = jax.jit(self._iteration, donate_argnums=0)
            run_chunk = functools.partial(_call_by_call, iteration)

        def train_function(state, iterator):
            indices, keys, count = next(iterator)
            done = int(count[0])
            # Images as arguments: captured, they would be constants of the
            # program and compiled into it.
            losses, accuracies, state = run_chunk(
                state, self.images, self.labels, indices, keys, done
            )
            logs = {
                "loss": np.asarray(losses)[:done],
                "accuracy": np.asarray(accuracies)[:done],
            }
            return logs, state

        self.train_function = train_function

    def _chunk(self, state, images, labels, indices, keys, count):
        zeros = jnp.zeros(len(indices), keras.config.floatx())

        def iterate(i, carry):
            losses, accuracies, state = carry
            loss, accuracy, state = self._iteration(
                state, images, labels, indices[i], keys[i]
            )
            return losses.at[i].set(loss), accuracies.at[i].set(accuracy), state

        return jax.lax.fori_loop(0, count, iterate, (zeros, zeros, state))

    def _iteration(self, state, images, labels, indices, keys):
        pixels, labels = images[indices], labels[indices]
        trainable, non_trainable, optimizer, metrics = state

        (loss, (logits, non_trainable)), gradients = jax.value_and_grad(
            self._loss, has_aux=True
        )(trainable, non_trainable, pixels, keys, labels)
        trainable, optimizer = self.optimizer.stateless_apply(
            optimizer, gradients, trainable
        )
        accuracy = jnp.mean(jnp.argmax(logits, 1) == labels, dtype=loss.dtype)
        state = (trainable, non_trainable, optimizer, metrics)
        return loss, accuracy, state

    def _loss(self, trainable, non_trainable, pixels, keys, labels):
        logits, updated = self.stateless_call(
            trainable, non_trainable, [pixels, keys], training=True
        )
        loss = keras.ops.mean(
            keras.losses.sparse_categorical_crossentropy(
                labels, logits, from_logits=True
            )
        )
        return loss, (logits, updated)

    def gradients(self, indices, keys):
        """Gradients of the loss on one batch; nothing else changes.

        Args:
            indices: int32 array, shape `(batch,)`.
            keys: uint32 array, shape `(batch,)`.

        Returns:
            Arrays in the order of `trainable_variables`.
        """
        gradients, _ = jax.jit(jax.grad(self._loss, has_aux=True))(
            [variable.value for variable in self.trainable_variables],
            [variable.value for variable in self.non_trainable_variables],
            self.images[indices],
            keys,
            self.labels[indices],
        )
        return gradients


def _call_by_call(iteration, state, images, labels, indices, keys, count):
    losses, accuracies = [], []
    for i in range(count):
        loss, accuracy, state = iteration(
            state, images, labels, indices[i], keys[i]
        )
        losses.append(loss)
        accuracies.append(accuracy)
    return losses, accuracies, state
