"""A measured process of kresnet's."""

import functools
import json
import sys
from pathlib import Path

from kresnet.benchmark.floor import BYTES
from kresnet.benchmark.serving import Part, serve, timed
from kresnet.machine.start_keras import import_keras_quietly

# Large enough that nothing else counts; accelerators need more.
SIDE = {"cpu": 2_048, "gpu": 8_192}
MIB = {"cpu": 256, "gpu": 4_096}


def ceilings(kind: str, dtype: str) -> tuple[dict, dict[str, Part]]:
    """Operations of a product, bytes of a copy, and parts that do them."""
    from keras import ops

    side = SIDE[kind]
    size = MIB[kind] * 2**20 // BYTES[dtype]
    ones = functools.cache(functools.partial(ops.ones, dtype=dtype))

    def product(iterations: int) -> None:
        factor = ones((side, side))
        for _ in range(iterations):
            result = ops.matmul(factor, factor)
        float(result[0, 0])

    def copy(iterations: int) -> None:
        source = ones((size,))
        for _ in range(iterations):
            result = ops.add(source, 1)
        float(result[0])

    counts = {
        "product_operations": 2 * side**3,  # a multiply-add is two
        "copy_bytes": 2 * MIB[kind] * 2**20,  # read and written
    }
    return counts, {"product": timed(product), "copy": timed(copy)}


def start(job_file: str) -> dict[str, Part]:
    """Builds everything; see `kresnet.benchmark.serving.serve`."""
    import_keras_quietly()
    import keras

    folder = Path(job_file).parent
    job = json.loads(Path(job_file).read_text("utf-8"))
    precision = job["precision"]
    # Whatever Keras' settings file says.
    keras.config.set_floatx("float64" if precision == "float64" else "float32")
    # The rest of bfloat16 stays float32, as in `train`.
    mixed = precision if precision == "bfloat16" else "float32"

    from safetensors.numpy import save_file

    from kresnet.benchmark.bench import tiny
    from kresnet.benchmark.images import generated_images, measured_images
    from kresnet.benchmark.parts import parts
    from kresnet.benchmark.training_path import TrainingPath
    from kresnet.machine.facts import hardware, make_deterministic, versions
    from kresnet.spec import load_spec
    from kresnet.trained.arrays import to_arrays

    seed = job["seed"]
    make_deterministic(seed)
    (folder / "spec.yaml").write_text(job["spec"], "utf-8")
    spec = load_spec(folder / "spec.yaml")
    images = measured_images(spec, job["data_dir"])
    path = TrainingPath(spec, seed, *images, folder, mixed)
    backend = keras.backend.backend()

    @functools.cache
    def tiny_path() -> TrainingPath:
        small = tiny(spec)
        # Gradients through many layers normalised over a few numbers overflow.
        found = TrainingPath(
            small, seed, *generated_images(small), folder, mixed, finite=False
        )
        if backend == "tensorflow" and path.steps.passes > 1:
            # In as many passes as the whole net, of few images each.
            found.steps.smallest_pass = 1
        return found

    def save_weights(_: int) -> dict:
        save_file(to_arrays(path.model.weights), job["weights"])
        return {}

    accelerated = _accelerated(backend)
    counts, ceiling_parts = ceilings("gpu" if accelerated else "cpu", precision)
    facts = {
        "versions": versions(),
        "hardware": hardware(),
        "accelerated": accelerated,
        **counts,
    }
    return {
        "facts": lambda _: facts,
        **parts(path),
        **ceiling_parts,
        "whole": path.whole,
        "losses": path.losses,
        "host": lambda iterations: tiny_path().whole(iterations),
        "save_weights": save_weights,
    }


def _accelerated(backend: str) -> bool:
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    import jax

    return jax.default_backend() != "cpu"


if __name__ == "__main__":
    serve(functools.partial(start, sys.argv[1]))
