"""The most probable classes of image files."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kresnet.errors import KresnetError, SpecError
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.prediction.images import read_image
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

    See `kresnet.prediction.images.read_image` for how a file becomes pixels.

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
