"""An iteration up to its transforms, its loss, its gradients, its update."""

from kresnet.benchmark.serving import Part, timed
from kresnet.benchmark.training_path import TrainingPath
from kresnet.training.loop.steps_tensorflow import mean_over_parts


def parts(path: TrainingPath) -> dict[str, Part]:
    """Compiled functions, each doing what the one before does and more."""
    steps, order = path.steps, path.order

    def transforms(indices, keys, pixels=None):
        pixels, _ = steps.examples(indices, pixels)
        return path.transforms_model([pixels, keys], training=True)

    def loss(indices, keys, pixels=None):
        pixels, labels = steps.examples(indices, pixels)
        return [steps.loss(*steps.values(), pixels, keys, labels)[0]]

    def forward(*batch):
        return mean_over_parts(loss, batch, steps.passes)

    def each(function):
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
