"""An iteration up to its transforms, its loss, its gradients, its update."""

from collections.abc import Callable

import jax

from kresnet.benchmark.serving import Part, timed
from kresnet.benchmark.training_path import TrainingPath


def parts(path: TrainingPath) -> dict[str, Part]:
    """The computations, compiled and timed."""
    return {
        name: _part(function, path)
        for name, function in computations(path).items()
    }


def computations(path: TrainingPath) -> dict[str, Callable]:
    """Functions, each doing what the one before does and more.

    Each maps a state to a result and the next state, as a step of training
    does; images are arguments, since captured they would be constants.
    """
    model = path.model

    def loss_of(trainable, state, images, labels, indices, keys):
        loss, (_, updated) = model._loss(
            trainable, state[1], images[indices], keys, labels[indices]
        )
        return loss, (trainable, updated, *state[2:])

    def transforms(state, images, labels, indices, keys):
        crops, _ = path.transforms_model.stateless_call(
            [v.value for v in path.transforms_model.trainable_variables],
            [v.value for v in path.transforms_model.non_trainable_variables],
            [images[indices], keys],
            training=True,
        )
        return crops, state

    def forward(state, *batch):
        return loss_of(state[0], state, *batch)

    def backward(state, *batch):
        found, gradients = jax.value_and_grad(loss_of, has_aux=True)(
            state[0], state, *batch
        )
        return (found[0], gradients), found[1]

    def update(state, *batch):
        loss, accuracy, state = model._iteration(state, *batch)
        return (loss, accuracy), state

    functions = (transforms, forward, backward, update)
    return {function.__name__: function for function in functions}


def _part(function, path) -> Part:
    compiled = jax.jit(function, donate_argnums=0)
    model = path.model

    def run(iterations: int) -> None:
        # Copies, since the buffers of a state are given away.
        state = jax.tree.map(
            lambda variable: variable.value.copy(),
            (
                list(model.trainable_variables),
                list(model.non_trainable_variables),
                list(model.optimizer.variables),
                [],
            ),
        )
        indices, keys = path.order.batches(0, iterations)
        for i in range(iterations):
            result, state = compiled(
                state, model.images, model.labels, indices[i], keys[i]
            )
        jax.block_until_ready((result, state))

    return timed(run)
