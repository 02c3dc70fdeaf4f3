"""Many iterations as one step of `fit`, on JAX."""

import contextlib
import functools

import jax
import keras
import numpy as np
from jax import numpy as jnp

from kresnet.training.loop.loop import CAPACITY


class ChunkModel(keras.Model):
    """A model whose step of `fit` is a chunk of iterations.

    See `kresnet.training.loop.loop` for what a chunk is. The images stay on the
    device as bytes; a chunk brings indices and keys.

    On an accelerator the iterations of a chunk are one compiled program whose
    number of turns is an argument, so that no length of a chunk compiles anew.
    On a CPU they are calls of one compiled iteration: inside a loop XLA's
    convolutions take some thirty times as long there (jax-ml/jax issue 12868),
    and a call costs next to nothing.

    Compiled in the scope of a `keras.distribution.DataParallel`, it trains in
    it: images and state are on every device, a batch is spread over them, and
    the program is the same.

    Attributes:
        capacity: The most iterations in a chunk.
        one_program: Whether a chunk is one program.
    """

    logs_are_per_iteration = True
    capacity = CAPACITY

    @property
    def one_program(self):
        """True where the images are on accelerators."""
        # Not the machine's best device: `--devices cpu` is another.
        (device, *_) = self.images.devices()
        return device.platform != "cpu"

    def compile(self, *args, **kwargs):
        """Also notes the distribution."""
        self._distribution = keras.distribution.distribution()
        super().compile(*args, **kwargs)

    def fit_chunks(self, steps, callbacks, batch):
        """Calls `fit` on chunks, in the distribution's scope.

        Args:
            steps: Makes an iterator of chunks.
            callbacks: Of `fit`.
            batch: Number of examples in a batch; the arrays say it too.
        """
        with (
            self._distribution.scope()
            if self._distribution
            else (contextlib.nullcontext())
        ):
            self.fit(steps(), callbacks=callbacks, shuffle=False, verbose=0)

    def hold(self, images, labels):
        """Puts the training images and labels on the device.

        Args:
            images: uint8 array, shape `(count, height, width, channels)`.
            labels: Integer array, shape `(count,)`.
        """
        self.images = self._put(images)
        self.labels = self._put(labels)

    def _put(self, array):
        everywhere = self._everywhere()
        if everywhere is None:
            return jnp.asarray(array)
        # Not device_put: it would compare the arrays of all processes.
        return jax.make_array_from_callback(
            array.shape, everywhere, lambda place: array[place]
        )

    def _everywhere(self):
        """Sharding of what every device holds whole; None for one device."""
        if self._distribution is None:
            return None
        mesh = self._distribution.device_mesh
        return keras.distribution.TensorLayout([], mesh).backend_layout

    def make_train_function(self, force=False):
        """Compiles the chunk; the state's buffers are reused."""
        if self.train_function is not None and not force:
            return
        # Losses and state are kept whole on every device.
        compiled = functools.partial(
            jax.jit, donate_argnums=0, out_shardings=self._everywhere()
        )
        if self.one_program:
            run_chunk = compiled(self._chunk)
        else:
            run_chunk = functools.partial(
                _call_by_call, compiled(self._iteration)
            )

        def train_function(state, iterator):
            indices, keys, count = next(iterator)
            done = _first(count)
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
        zeros = jnp.zeros(indices.shape[1], keras.config.floatx())

        def iterate(i, carry):
            losses, accuracies, state = carry
            loss, accuracy, state = self._iteration(
                state, images, labels, indices[:, i], keys[:, i]
            )
            # With 64 bits switched on, losses of float32 logits have them.
            loss, accuracy = (x.astype(zeros.dtype) for x in (loss, accuracy))
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
        # Not `keras.ops.mean`, which would take float64 to float32.
        loss = jnp.mean(
            keras.losses.sparse_categorical_crossentropy(
                labels, logits, from_logits=True
            )
        )
        return loss, (logits, updated)

    @functools.cached_property
    def _gradients(self):
        # One function for all calls: a new one would compile anew.
        return jax.jit(jax.grad(self._loss, has_aux=True))

    def gradients(self, indices, keys):
        """Gradients of the loss on one batch; nothing else changes.

        Args:
            indices: int32 array, shape `(batch,)`.
            keys: uint32 array, shape `(batch,)`.

        Returns:
            Arrays in the order of `trainable_variables`.
        """
        gradients, _ = self._gradients(
            [variable.value for variable in self.trainable_variables],
            [variable.value for variable in self.non_trainable_variables],
            self.images[indices],
            keys,
            self.labels[indices],
        )
        return gradients


def _first(count):
    """The first element; of an array over several processes, the first here."""
    if isinstance(count, jax.Array):
        count = count.addressable_data(0)
    return int(count[0])


def _call_by_call(iteration, state, images, labels, indices, keys, count):
    losses, accuracies = [], []
    for i in range(count):
        loss, accuracy, state = iteration(
            state, images, labels, indices[:, i], keys[:, i]
        )
        losses.append(loss)
        accuracies.append(accuracy)
    return losses, accuracies, state
