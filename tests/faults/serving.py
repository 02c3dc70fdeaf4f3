"""An exported model in use; each function raises if anything was wrong."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

import kresnet
from kresnet.trained import open_trained, softmax

LARGEST = 128  # images in a batch
TOLERANCE = 1e-6


def exported(folder):
    """A short run on digits and its export; returns both folders."""
    run = kresnet.train(
        "digits",
        folder / "run",
        overrides=["training.iterations=60", "training.learning_rate.at=[40]"],
    )
    return run, kresnet.export(run, folder / "export")


def equal_to_predict(run, folder, times, generator):
    """Serves random batches: Keras' `predict` must say the same.

    Args:
        run: Folder of the run.
        folder: Folder of its export.
        times: How many batches; the smallest and the largest are among them.
        generator: Of their sizes and images.

    Returns:
        The largest difference of a probability.
    """
    loaded = open_trained(run)
    model = loaded.inference_model()
    images = loaded.data().test_images
    served = tf.saved_model.load(str(folder))
    sizes = [1, LARGEST, *generator.integers(1, LARGEST + 1, times - 2)]
    largest = 0.0
    for size in sizes:
        batch = images[generator.integers(len(images), size=size)]
        logits = model.predict(batch, batch_size=size, verbose=0)
        difference = np.abs(served.serve(batch).numpy() - softmax(logits)).max()
        if not difference <= TOLERANCE:
            raise AssertionError(f"{size} images: differ by {difference:.1e}")
        largest = max(largest, float(difference))
    return largest


def equal_in_threads(run, folder, threads, calls, generator):
    """Serves from several threads at once: bit for bit as from one.

    Returns:
        How many calls were compared.
    """
    images = open_trained(run).data().test_images
    served = tf.saved_model.load(str(folder))
    sizes = generator.integers(1, LARGEST + 1, calls)
    starts = generator.integers(len(images) - LARGEST, size=calls)
    batches = [images[a : a + n] for a, n in zip(starts, sizes, strict=True)]
    alone = [served.serve(batch).numpy() for batch in batches]

    def work(number):
        """All calls, each thread from another one on."""
        order = np.roll(np.arange(calls), number * calls // threads)
        return [
            i
            for i in order
            if served.serve(batches[i]).numpy().tobytes() != alone[i].tobytes()
        ]

    with ThreadPoolExecutor(threads) as pool:
        different = [i for each in pool.map(work, range(threads)) for i in each]
    if different:
        raise AssertionError(f"{len(different)} of {threads * calls} differ")
    return threads * calls
