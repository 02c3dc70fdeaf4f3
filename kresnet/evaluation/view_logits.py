"""Probabilities averaged over several views of each image."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import keras
import numpy as np
from PIL import Image

from kresnet.data import Images
from kresnet.data.views import crop_box, resized, whole_size
from kresnet.errors import BadDataError
from kresnet.evaluation.views import View
from kresnet.notices import notify
from kresnet.trained import Layered, softmax

T = TypeVar("T")
# Places of crops: from the left edge to the right, from the top to the bottom.
TEN = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5))
FIVE_BY_FIVE = tuple((x / 4, y / 4) for y in range(5) for x in range(5))
# Pixels of a resized image, at most: a strip would take all memory.
LARGEST = 2**24
# Crops that go through a network at a time.
BATCH = 500
# Images that are decoded ahead.
AHEAD = 8


def view_logits(network: Layered, images: Images, view: View) -> np.ndarray:
    """The logarithms of the mean probabilities over the views of an image.

    They are float64, `(count, classes)`. A SpecError where a transform is of
    one size only, a BadDataError where an image is too long at a shorter side.
    """
    sides, found = view.sides(network.spec), []
    if view.kind == "single":
        found.append(_single(network, images))
    if view.kind in ("dense", "dense-and-crop"):
        found.append(_dense(network, images, sides, view.mirrored))
    if view.kind == "ten-crop":
        found.append(_crops(network, images, sides, TEN))
    if view.kind in ("multi-crop", "dense-and-crop"):
        found.append(_crops(network, images, sides, FIVE_BY_FIVE))
    return log_mean(found)


def log_mean(probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """The logarithms of the mean of arrays of probabilities, finite."""
    least = np.finfo("float64").tiny  # for those that were rounded to 0
    return np.log(np.maximum(np.mean(probabilities, axis=0), least))


def _single(network: Layered, images: Images) -> np.ndarray:
    """Probabilities of the test view and its mirror image."""
    found = []
    for start in range(0, len(images), BATCH):
        pixels = images[start : start + BATCH]
        both = (softmax(network.logits(x)) for x in (pixels, _mirror(pixels)))
        found.append(np.mean([*both], axis=0))
    return np.concatenate(found)


def _crops(network, images, sides, places) -> np.ndarray:
    """Probabilities of crops at some places, and of their mirror images."""
    height, width, _ = network.spec.model.input

    def crops(image: Image.Image) -> np.ndarray:
        boxes = [
            crop_box(side, image.size, (width, height), *place)
            for side in sides
            for place in places
        ]
        seen = [_pixels(image, box, (width, height)) for box in boxes]
        return np.stack([*seen, *map(_mirror, seen)])

    count = 2 * len(sides) * len(places)
    found, waiting = [], []
    for i, each in enumerate(_looked_at(images, crops), start=1):
        waiting.append(each)
        if len(waiting) * count >= BATCH or i == len(images):
            rows = softmax(network.logits(np.concatenate(waiting)))
            found.append(rows.reshape(len(waiting), count, -1).mean(axis=1))
            waiting.clear()
    return np.concatenate(found)


def _dense(network, images, sides, mirrored) -> np.ndarray:
    """Probabilities of the whole image at some sizes."""
    model = network.model_of_any_size()
    if keras.backend.backend() == "jax":
        notify(
            "on JAX the network is compiled for every size that the images"
            " have, which takes long"
        )
    else:
        model.jit_compile = False  # XLA, too, would compile it for every size

    def whole(image: Image.Image) -> list[np.ndarray]:
        found = []
        for side in sides:
            size = whole_size(side, image.size)
            if size[0] * size[1] > LARGEST:
                raise BadDataError(
                    f"would have {size[0]:,}×{size[1]:,} pixels at shorter"
                    f" side {side}; the most are {LARGEST:,}"
                )
            seen = _pixels(image, (0, 0, *image.size), size)
            both = [seen, _mirror(seen)] if mirrored else [seen]
            found.append(np.stack(both))
        return found

    def probabilities(pixels: np.ndarray) -> np.ndarray:
        by_position = model.predict_on_batch(pixels)
        return softmax(by_position.mean(axis=(1, 2), dtype="float64"))

    return np.stack(
        [
            np.mean([probabilities(each) for each in sizes], axis=(0, 1))
            for sizes in _looked_at(images, whole)
        ]
    )


def _mirror(pixels: np.ndarray) -> np.ndarray:
    return pixels[..., ::-1, :]


def _pixels(image, box, output) -> np.ndarray:
    """Part of an image, uint8 `(height, width, channels)`."""
    seen = np.asarray(resized(image, box, output))
    return seen.reshape(*seen.shape[:2], -1)


def _looked_at(images: Images, look: Callable[[Image.Image], T]) -> Iterator[T]:
    """What `look` makes of each image, in order; it runs in threads."""
    source, split = images.source, images.split

    def upright(pixels: np.ndarray) -> T:
        # Pillow has no axis for the channel of a grey image.
        grey = pixels.shape[2] == 1
        return look(Image.fromarray(pixels[..., 0] if grey else pixels))

    ahead: collections.deque[concurrent.futures.Future[T]] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(AHEAD) as pool:
        for index in map(int, images.indices):
            ahead.append(pool.submit(source.whole, split, index, upright))
            if len(ahead) > AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
