"""Layer responses of a trained network (figure 7)."""

import csv
import io
import os
from pathlib import Path

import keras

from kresnet.callbacks import LayerResponses
from kresnet.data import split_train_validation
from kresnet.errors import SpecError, write_error
from kresnet.files import replace_file
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.network import (
    adapt_transforms,
    build_model,
    build_transforms,
    find_places,
    inference_layers,
    inference_model,
)
from kresnet.trained.run import Run, load_run
from kresnet.trained.statistics import observer

MOST_AT_ONCE = 1_000


@without_retracing_warnings()
def responses(
    run: Run | str | os.PathLike[str],
    images: int = 1_000,
    initial: bool = False,
    data_dir: str | os.PathLike[str] | None = None,
    checkpoint: int | None = None,
) -> tuple[list[dict], list[dict]]:
    """Measures the layer responses of a run's network.

    Args:
        run: A run, or the path of its folder.
        images: How many images of the training split, from its first, not
            augmented; 0 for all.
        initial: Of the initial weights, in place of a checkpoint's. Batch
            norm then uses the statistics of these very images (of the first
            1,000 at most, as one batch), for there are no moving averages yet.
        data_dir: Where prepared data sets are; see `load_dataset`.
        checkpoint: Iteration of the checkpoint to measure, where `run` is a
            folder; `None` for the newest.

    Returns:
        Rows with `iteration`, `layer`, `std` and `images`, in the order of
        the network; rows with `iteration`, `block`, `ratio` (root mean square
        of the residual over that of the shortcut) and `images`.

    Raises:
        SpecError: `images` is negative, the initial weights were those of
            another run, or both they and a checkpoint are asked for.
        BadDataError: The data are not those of the run.

    Reference:
        He et al. 2015, section 4.2 and figure 7.
    """
    if images < 0:
        raise SpecError(f"--images: must not be negative. Received: {images}")
    if initial and checkpoint is not None:
        raise SpecError("--initial: goes without --checkpoint")
    if not isinstance(run, Run):
        run = load_run(run, checkpoint)
    elif checkpoint is not None:
        raise ValueError("`checkpoint` goes with the folder of a run")
    if initial and run.identity.beginning:
        raise SpecError(
            f"{run.folder}: --initial: it began with the weights of another"
            " run, deepened, and not with drawn ones"
        )
    data = run.load_data(data_dir)
    train, _ = split_train_validation(
        len(data.train_images), run.spec.data.validation
    )
    pixels = data.train_images[train]
    if initial:
        transforms = build_transforms(run.spec.data, run.spec.model.input)
        adapt_transforms(transforms, pixels)
        network = _initial_network(run, transforms, pixels[: images or None])
    else:
        transforms, network = run.layers()
    places = find_places(network, run.spec.model)
    probe = LayerResponses(
        network,
        places.responses,
        places.branches,
        pixels[: images or None],
        every=1,
        last=1,
        write=lambda _: None,
        before=inference_layers(transforms),
    )
    at = {"iteration": 0 if initial else run.checkpoint.iteration}
    layers, blocks = probe.measure()
    return [at | row for row in layers], [at | row for row in blocks]


def _initial_network(run: Run, transforms, pixels) -> keras.Model:
    """Initial weights, with batch-norm statistics of the images."""
    # At momentum 0 the moving averages are those of the batch; groups would
    # have to divide it.
    batch_norm = run.spec.model.batch_norm.model_copy(
        update={"momentum": 0.0, "images_per_statistic": None}
    )
    model = run.spec.model.model_copy(update={"batch_norm": batch_norm})
    network = build_model(model, run.seed)
    observing = inference_model(transforms, observer(network))
    observing.predict_on_batch(pixels[:MOST_AT_ONCE])
    return network


def write_responses(rows: list[dict], path: str | os.PathLike[str]) -> None:
    """Writes rows of `responses` as CSV, in one step.

    Raises:
        CannotWriteError: The file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        replace_file(Path(path), text.getvalue())
    except OSError as error:
        raise write_error(path, error) from error
