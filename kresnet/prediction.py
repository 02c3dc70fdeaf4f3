"""From image files to classes, with a run or an export."""

import dataclasses
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from kresnet.data.decode import decode, opened_file
from kresnet.data.views import resized, test_box
from kresnet.errors import KresnetError, SpecError
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.spec import DatasetFacts, TestView
from kresnet.trained import Trained, open_trained, softmax

# Images decoded and held at a time.
_BATCH = 128


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a network says of one image file.

    Attributes:
        path: Of the file, as given.
        classes: Names with probabilities, the most probable first; empty
            where the file could not be used.
        notices: What the user should know: resized, first frame and the like.
        error: Why the file could not be used; `None` where it could.
    """

    path: Path
    classes: tuple[tuple[str, float], ...] = ()
    notices: tuple[str, ...] = ()
    error: KresnetError | None = None


@without_retracing_warnings()
def predict(
    run_or_export: Trained | str | os.PathLike[str],
    images: Iterable[str | os.PathLike[str]],
    top: int = 5,
    checkpoint: int | None = None,
) -> list[Prediction]:
    """Classifies image files; one that cannot be used does not stop the rest.

    See `read_image` for how a file becomes pixels.

    Args:
        run_or_export: A run, an export, or the folder of one.
        images: Paths of PNG, JPEG, GIF, WebP or BMP files.
        top: Number of classes to name, at most all there are.
        checkpoint: Iteration of the run's checkpoint to use, where a folder is
            given; `None` for the newest.

    Returns:
        One prediction per path, in order.

    Raises:
        SpecError: `run_or_export` is neither, `top` is below 1, or an export
            is given with a `checkpoint`.
        BadDataError: The export or the run's checkpoint is damaged.
        InputMissingError: There is no such folder, or no such checkpoint.
    """
    if top < 1:
        raise SpecError(f"--top: must be at least 1. Received: {top}")
    network = open_trained(run_or_export, checkpoint)
    paths = [Path(path) for path in images]
    step = 1 if network.takes_any_size else _BATCH
    batches = (paths[i : i + step] for i in range(0, len(paths), step))
    return [each for batch in batches for each in _batch(network, batch, top)]


def _batch(network: Trained, paths: list[Path], top: int) -> list[Prediction]:
    found: list[Prediction] = []
    pixels: dict[int, np.ndarray] = {}
    for i, path in enumerate(paths):
        try:
            pixels[i], notices = read_image(
                path,
                network.spec.model.input,
                network.facts,
                views.test if (views := network.spec.data.views) else None,
                network.takes_any_size,
            )
            found.append(Prediction(path, notices=tuple(notices)))
        except KresnetError as error:
            found.append(Prediction(path, error=error))
    if pixels:
        rows = softmax(network.logits(np.stack([*pixels.values()])))
        names = network.class_names
        for i, row in zip(pixels, rows, strict=True):
            best = np.argsort(-row, kind="stable")[:top]
            classes = tuple((names[j], float(row[j])) for j in best)
            found[i] = dataclasses.replace(found[i], classes=classes)
    return found


def read_image(
    path: Path,
    shape: tuple[int, int, int],
    facts: DatasetFacts,
    view: TestView | None = None,
    whole: bool = False,
) -> tuple[np.ndarray, list[str]]:
    """Reads one image file as a network's pixels.

    It is decoded as in training, see `kresnet.data.decode`; colours become RGB
    or grey (ITU-R 601 luma) as the network takes them. A network with views
    sees the test view, or takes the image `whole` and has the view inside. For
    any other the whole image is resized with antialiased bicubic interpolation,
    and values are scaled to the data set's range.

    Returns:
        uint8 pixels of the shape, `whole` ones of their own size, 0 to
        `facts.white`, and what the user should know about how they came about.

    Raises:
        InputMissingError: There is no such file, or it cannot be opened.
        BadDataError: It is no image, is damaged, or would unpack to more than
            89 million pixels.
    """
    notices: list[str] = []
    with warnings.catch_warnings(), opened_file(path) as file:
        # Of Pillow's warnings, size is checked and the others concern
        # metadata that are not used.
        warnings.simplefilter("ignore")
        image, _ = decode(file, notices)
    image = image.convert("RGB" if shape[2] == 3 else "L")
    height, width = shape[:2]
    if whole:
        width, height = image.size
    elif view:
        box = test_box(view, image.size, (width, height))
        image = resized(image, box, (width, height))
    elif image.size != (width, height):
        same = image.width * height == image.height * width
        notices.append(
            f"resized from {image.width}×{image.height} to {width}×{height} "
            f"(bicubic{'' if same else '; its proportions change'})"
        )
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image, "uint8").reshape(height, width, -1)
    if facts.light_on_dark and pixels.mean() > 127.5:
        notices.append(
            "mostly light, but the network was trained on light shapes on "
            "black: invert the image if it is dark on light"
        )
    if facts.white != 255:
        scaled = np.rint(pixels * (facts.white / 255))
        pixels = scaled.astype("uint8")
    return pixels, notices
