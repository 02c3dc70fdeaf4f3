"""Programs that load the same views of photos, each in its own way.

`python subjects.py NAME JOB.npz RESULT.npz`: one of `SUBJECTS` reads every
image of the job in batches, once to warm up and once more. The result has its
CPU-seconds and seconds, and its first batch.
"""

import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SIDE, BATCH = 224, 64
THREADS = len(os.sched_getaffinity(0))


def kresnet(job):
    from kresnet.data import open_source
    from kresnet.data.feed import Feed
    from kresnet.spec import load_spec

    spec = load_spec(str(job["spec"]))
    source = open_source(spec, str(job["folder"]))
    indices = source.parts(0)[0].indices

    def batches(count):
        feed = Feed(source, indices, BATCH, int(job["seed"]), count)
        for i in range(count):
            yield feed.batches(i, 1)[-1][0]
        feed.close()

    return batches


def tf_data(job):
    import tensorflow as tf

    def view(path, box):
        pixels = tf.io.decode_and_crop_jpeg(
            tf.io.read_file(path),
            [box[1], box[0], box[3] - box[1], box[2] - box[0]],
            channels=3,
            dct_method="INTEGER_ACCURATE",
        )
        seen = tf.image.resize(pixels, [SIDE, SIDE], antialias=True)
        return tf.cast(tf.round(seen), tf.uint8)

    def batches(count):
        part = slice(count * BATCH)
        data = tf.data.Dataset.from_tensor_slices(
            (job["paths"][part], job["boxes"][part])
        )
        data = data.map(view, num_parallel_calls=tf.data.AUTOTUNE)
        data = data.batch(BATCH).prefetch(tf.data.AUTOTUNE)
        return data.as_numpy_iterator()

    return batches


def torchvision(job, workers=0):
    import torch
    from PIL import Image
    from torchvision.transforms.v2 import functional

    torch.set_num_threads(1)

    class Views(torch.utils.data.Dataset):
        def __init__(self, count):
            self.count = count * BATCH

        def __len__(self):
            return self.count

        def __getitem__(self, i):
            left, top, right, bottom = map(int, job["boxes"][i])
            with open(job["paths"][i], "rb") as file:  # as ImageFolder does
                image = Image.open(file).convert("RGB")
            seen = functional.resized_crop(
                image, top, left, bottom - top, right - left, [SIDE, SIDE]
            )
            return functional.pil_to_tensor(seen)

    def batches(count):
        loader = torch.utils.data.DataLoader(
            Views(count), BATCH, num_workers=workers
        )
        for batch in loader:
            yield batch.numpy().transpose(0, 2, 3, 1)

    return batches


def torchvision_workers(job):
    return torchvision(job, THREADS)


def opencv(job):
    import cv2

    cv2.setNumThreads(1)

    def view(i):
        left, top, right, bottom = job["boxes"][i]
        with open(job["paths"][i], "rb") as file:
            content = np.frombuffer(file.read(), np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR_RGB)
        crop = image[top:bottom, left:right]
        shrinks = min(crop.shape[:2]) > SIDE
        kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(crop, (SIDE, SIDE), interpolation=kind)

    def batches(count):
        with ThreadPoolExecutor(THREADS) as pool:
            ahead = [pool.submit(view, i) for i in range(count * BATCH)]
            for i in range(0, len(ahead), BATCH):
                yield np.stack([e.result() for e in ahead[i : i + BATCH]])
                ahead[i : i + BATCH] = [None] * BATCH

    return batches


def image_dataset_from_directory(job):
    """Whole images cut to a square: it knows no drawn crops."""
    import keras

    def batches(count):
        data = keras.utils.image_dataset_from_directory(
            os.path.join(str(job["folder"]), "train"),
            labels=None,
            image_size=(SIDE, SIDE),
            crop_to_aspect_ratio=True,
            batch_size=BATCH,
            verbose=False,
        )
        for batch in data.take(count):
            yield batch.numpy()

    return batches


SUBJECTS = {
    each.__name__: each
    for each in (
        kresnet,
        tf_data,
        torchvision,
        torchvision_workers,
        opencv,
        image_dataset_from_directory,
    )
}


def cpu_seconds():
    """Those of this process and of its children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(
            resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
    )


def main(name, job_file, result_file):
    with np.load(job_file) as file:
        job = dict(file)
    batches = SUBJECTS[name](job)
    count = len(job["paths"]) // BATCH
    # Memory that is touched for the first time is dear.
    first, *_ = (batch.copy() for batch in batches(count))
    cpu, wall = cpu_seconds(), time.perf_counter()
    images = sum(len(batch) for batch in batches(count))
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    assert images == count * BATCH
    np.savez(result_file, cpu=cpu, wall=wall, images=images, first=first)


if __name__ == "__main__":
    main(*sys.argv[1:])
