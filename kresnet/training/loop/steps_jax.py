"""Updates on JAX: a chunk of them is one program, or calls of one."""

import jax
import keras
import numpy as np
from jax import numpy as jnp

from kresnet.data import Source
from kresnet.training.loop import loop


class Steps(loop.Steps):
    """Updates on JAX; `kresnet.training.loop.loop.Steps` says what they do.

    On an accelerator the iterations of a chunk are one compiled program whose
    number of turns is an argument, so that no length of a chunk compiles anew.
    On a CPU they are calls of one compiled iteration: inside a loop XLA's
    convolutions take some thirty times as long there (jax-ml/jax issue 12868),
    and a call costs next to nothing.

    The same holds where pixels are handed in: a batch goes to the device while
    the one before is computed.

    Where the variables are on several devices, images and state are on every
    one of them, a batch is spread over them, and the program is the same.

    Attributes:
        one_program: Whether a chunk is one program.
    """

    _mean = staticmethod(jnp.mean)

    def __init__(self, model: keras.Model, source: Source):
        self._whole = self._parts = None
        placed = model.variables[0].value.sharding
        if isinstance(placed, jax.sharding.NamedSharding):
            mesh = placed.mesh
            part = jax.sharding.PartitionSpec(*mesh.axis_names)
            self._parts = jax.sharding.NamedSharding(mesh, part)
            self._whole = jax.sharding.NamedSharding(
                mesh, jax.sharding.PartitionSpec()
            )
        super().__init__(model, source)
        # The state, while the variables are not up to date.
        self._state: tuple[list[jax.Array], ...] | None = None
        # Losses and state are kept whole on every device; the state's buffers
        # are used again.
        whole = {"out_shardings": self._whole}
        self._do_chunk = jax.jit(self._chunk, donate_argnums=0, **whole)
        self._do_iteration = jax.jit(self._iteration, donate_argnums=0, **whole)
        gradients = jax.grad(self._batch_loss, has_aux=True)
        self._do_gradients = jax.jit(gradients, **whole)

    def _put(self, array, in_parts=False):
        sharding = self._parts if in_parts else self._whole
        if sharding is None:
            return jnp.asarray(array)
        # Not device_put: it would compare the arrays of all processes.
        return jax.make_array_from_callback(
            array.shape, sharding, lambda place: array[place]
        )

    @property
    def one_program(self) -> bool:
        """True where the images are on accelerators."""
        # Not the machine's best device: `--devices cpu` is another.
        (device, *_) = self.labels.devices()
        return self.images is not None and device.platform != "cpu"

    def run(self, indices, keys, *pixels):
        state = self._state or self.values()
        count = len(indices)
        # Images as arguments: captured, they would be constants of the program
        # and compiled into it.
        if self.one_program:
            missing = self.capacity - count
            indices, keys = (
                np.pad(x, [(0, missing), *[(0, 0)] * (x.ndim - 1)])
                for x in (indices, keys)
            )
            losses, accuracies, self._state = self._do_chunk(
                state, self.images, self.labels, indices, keys, count
            )
            return np.asarray(losses)[:count], np.asarray(accuracies)[:count]
        results = []
        for i in range(count):
            images = self.images_of(*(x[i] for x in pixels))
            *result, state = self._do_iteration(
                state, images, self.labels, indices[i], keys[i]
            )
            results.append(result)
        self._state = state
        losses, accuracies = np.array(jax.device_get(results)).T
        return losses, accuracies

    def gradients(self, indices, keys, *pixels):
        trainable, non_trainable, _ = self._state or self.values()
        images = self.images_of(*pixels)
        gradients, _ = self._do_gradients(
            trainable, non_trainable, images, self.labels, indices, keys
        )
        return gradients

    def images_of(self, pixels: np.ndarray | None = None) -> jax.Array:
        """All images on the device, or the pixels of a batch handed in."""
        if pixels is None:
            return self.images
        return self._put(pixels, in_parts=True)

    def examples(
        self, images: jax.Array, labels: jax.Array, indices: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Pixels and labels of a batch, from `images_of` and `labels`."""
        pixels = images if self.images is None else images[indices]
        return pixels, labels[indices]

    def sync(self):
        if self._state is None:
            return
        for variables, values in zip(
            self._variables(), self._state, strict=True
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self._state = None

    def values(self) -> tuple[list[jax.Array], ...]:
        """Those of the variables: trainable, not trainable, optimiser's."""
        return tuple(
            [variable.value for variable in variables]
            for variables in self._variables()
        )

    def _variables(self):
        model = self.model
        return (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
        )

    def _chunk(self, state, images, labels, indices, keys, count):
        zeros = jnp.zeros(len(indices), keras.config.floatx())

        def iterate(i, carry):
            losses, accuracies, state = carry
            loss, accuracy, state = self._iteration(
                state, images, labels, indices[i], keys[i]
            )
            # With 64 bits switched on, losses of float32 logits have them.
            loss, accuracy = (x.astype(zeros.dtype) for x in (loss, accuracy))
            return losses.at[i].set(loss), accuracies.at[i].set(accuracy), state

        return jax.lax.fori_loop(0, count, iterate, (zeros, zeros, state))

    def _iteration(self, state, images, labels, indices, keys):
        trainable, non_trainable, optimizer = state
        (loss, (accuracy, non_trainable)), gradients = jax.value_and_grad(
            self._batch_loss, has_aux=True
        )(trainable, non_trainable, images, labels, indices, keys)
        trainable, optimizer = self.model.optimizer.stateless_apply(
            optimizer, gradients, trainable
        )
        return loss, accuracy, (trainable, non_trainable, optimizer)

    def _batch_loss(
        self, trainable, non_trainable, images, labels, indices, keys
    ):
        if self._parts:
            indices, keys = jax.lax.with_sharding_constraint(
                (indices, keys), self._parts
            )
        pixels, labels = self.examples(images, labels, indices)
        loss, (logits, moved) = self.loss(
            trainable, non_trainable, pixels, keys, labels
        )
        accuracy = jnp.mean(jnp.argmax(logits, 1) == labels, dtype=loss.dtype)
        return loss, (accuracy, moved)
