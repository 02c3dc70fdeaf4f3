"""An iteration up to its transforms, its loss, its gradients, its update."""

from collections.abc import Callable
from typing import Any

import keras

from kresnet.benchmark.serving import Part, timed
from kresnet.benchmark.training_path import TrainingPath


def parts(path: TrainingPath) -> dict[str, Part]:
    """Compiled functions, each doing what the one before does and more."""
    if keras.backend.backend() == "tensorflow":
        return _tensorflow_parts(path)
    return _jax_parts(path)


def _tensorflow_parts(path: TrainingPath) -> dict[str, Part]:
    from kresnet.training.loop.steps_tensorflow import mean_over_parts

    steps, order = path.steps, path.order

    def transforms(indices: Any, keys: Any, pixels: Any = None) -> Any:
        pixels, _ = steps.examples(indices, pixels)
        return path.transforms_model([pixels, keys], training=True)

    def loss(indices: Any, keys: Any, pixels: Any = None) -> list:
        pixels, labels = steps.examples(indices, pixels)
        return [steps.loss(*steps.values(), pixels, keys, labels)[0]]

    def forward(*batch: Any) -> list:
        return mean_over_parts(loss, batch, steps.passes)

    def each(function: Callable[..., Any]) -> Part:
        def run(iterations: int) -> None:
            for batch in zip(*order.batches(0, iterations), strict=True):
                result = function(*batch)
            result[0].numpy()

        return timed(run)

    return {
        "transforms": each(steps.compiled(transforms, order.batch_size)),
        "forward": each(steps.compiled(forward, order.batch_size)),
        "backward": each(steps.gradients),
        "update": timed(lambda n: steps.run(*order.batches(0, n))),
    }


def _jax_parts(path: TrainingPath) -> dict[str, Part]:
    import jax

    steps, order = path.steps, path.order

    # Images are arguments; captured, they would be constants.
    @jax.jit
    def transforms(
        values: list, images: Any, labels: Any, indices: Any, keys: Any
    ) -> tuple:
        pixels, _ = steps.examples(images, labels, indices)
        return path.transforms_model.stateless_call(
            *values, [pixels, keys], training=True
        )

    @jax.jit
    def forward(
        values: list, images: Any, labels: Any, indices: Any, keys: Any
    ) -> tuple:
        pixels, labels = steps.examples(images, labels, indices)
        return steps.loss(*values, pixels, keys, labels)

    def each(function: Callable[..., tuple], model: keras.Model) -> Part:
        def run(iterations: int) -> None:
            variables = (
                model.trainable_variables,
                model.non_trainable_variables,
            )
            values = [[v.value for v in group] for group in variables]
            batches = zip(*order.batches(0, iterations), strict=True)
            for indices, keys, *pixels in batches:
                images = steps.images_of(*pixels)
                result = function(values, images, steps.labels, indices, keys)
            jax.block_until_ready(result)

        return timed(run)

    def backward(iterations: int) -> None:
        for batch in zip(*order.batches(0, iterations), strict=True):
            result = steps.gradients(*batch)
        jax.block_until_ready(result)

    def update(iterations: int) -> None:
        steps.run(*order.batches(0, iterations))
        steps.sync()

    return {
        "transforms": each(transforms, path.transforms_model),
        "forward": each(forward, path.model),
        "backward": timed(backward),
        "update": timed(update),
    }
