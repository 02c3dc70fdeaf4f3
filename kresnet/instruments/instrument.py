"""What an instrument is, what it measures, and measuring a trained network."""

import csv
import functools
import io
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kresnet.errors import SpecError
from kresnet.files import replace_file
from kresnet.machine.start_keras import without_retracing_warnings
from kresnet.spec import Spec

if TYPE_CHECKING:
    import keras
    import numpy as np
    from matplotlib.figure import Figure

    from kresnet.data import Order
    from kresnet.trained import Layered, Trained

# The initial weights are measured with the statistics of this many images.
MOST_AT_ONCE = 1_000

Rows = list[dict[str, Any]]
# By iteration, then by layer, both in the file's order.
LayerValues = dict[int, dict[str, float]]


class Table(NamedTuple):
    """A CSV file that an instrument writes.

    Attributes:
        name: The file's name, without its ending.
        title: What its numbers are.
        columns: Names of the columns after `iteration`.
    """

    name: str
    title: str
    columns: tuple[str, ...]


class Measured(NamedTuple):
    """What a run's file says.

    Attributes:
        label: The name of the network; runs that share it share a colour.
        values: What `Instrument.read` returned.
    """

    label: str
    values: Any


class Subject:
    """A network that is measured, and the images that it is measured on.

    Args:
        spec: The experiment.
        transforms: Layers of the run, in its order, not distributed.
        network: Makes the network, float32 and not distributed.
        images: Makes the sample, training images, uint8.
        order: Gives the batches of the training. Defaults to `None`, for a
            network that is not in training.
        gradients: Gradients of the loss on a batch that `order` gives, in the
            order of the trainable variables. Defaults likewise.
    """

    def __init__(
        self,
        spec: Spec,
        transforms: Sequence["keras.layers.Layer"],
        network: Callable[[], "keras.Model"],
        images: Callable[[], "np.ndarray"],
        order: "Order | None" = None,
        gradients: Callable[..., Sequence] | None = None,
    ):
        self.spec = spec
        self.transforms = transforms
        self.order = order
        self._gradients = gradients
        self._make_network = network
        self._make_images = images
        self._model: keras.Model | None = None

    @functools.cached_property
    def network(self) -> "keras.Model":
        """The network, made when an instrument first asks for it."""
        from kresnet.callbacks import copy_weights, undistributed

        with undistributed():
            network = self._make_network()
        if self._model is not None:
            copy_weights(self._model, network)
        return network

    @functools.cached_property
    def images(self) -> "np.ndarray":
        """The sample, made when an instrument first asks for it."""
        return self._make_images()

    def update(self, model: "keras.Model", iteration: int) -> None:
        """Takes the weights of the model in training, after `iteration`."""
        from kresnet.callbacks import copy_weights

        self._model = model
        self._iteration = iteration
        if "network" in vars(self):
            copy_weights(model, self.network)

    def gradients(self) -> dict[str, "np.ndarray"]:
        """Gradients of the loss on the batch of the coming update, by path.

        The loss is the plain cross-entropy, without weight decay.

        Raises:
            ValueError: The network is not in training.
        """
        if not (self.order and self._gradients and self._model):
            raise ValueError("a network has gradients only while it trains")
        gradients = self._gradients(*self.order.batch(self._iteration))
        variables = self._model.trainable_variables
        paths = (variable.path for variable in variables)
        return dict(zip(paths, gradients, strict=True))


class Instrument:
    """Something that is measured inside a network; one file each.

    A subclass says what stands below, in `measure` how it measures, and in
    `read`, `summary` and `figure` what a report shows of its first table.
    Importing it imports neither Keras nor Matplotlib, for the report works
    without the one and the training without the other.

    Args:
        every: Positive integer, iterations between measurements while a
            network trains; the last iteration is always measured.

    Attributes:
        name: One lower-case word; the option `<name>_every` asks for it.
        title: The heading of its section in a report.
        caption: How to read its figure.
        tables: The files it writes; the report reads the first.
        at_start: Whether the initial weights are measured, too.
        finished_only: Whether the report leaves out runs not finished.
        numbers: What the report needs of the first table, in words.
    """

    name: str
    title: str
    caption: str
    tables: tuple[Table, ...]
    at_start = True
    finished_only = False
    numbers = "numbers"

    def __init__(self, every: int = 1_000):
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(
                f"`every` must be a positive integer. Received: every={every!r}"
            )
        self.every = every

    def plan(self, subject: Subject) -> Any:
        """Makes once what each measurement needs. Defaults to nothing."""

    def measure(self, subject: Subject, plan: Any) -> dict[str, Rows]:
        """Measures the subject as it is now and changes nothing of it.

        Args:
            subject: What is measured.
            plan: What `plan` returned for it.

        Returns:
            Rows by the table's name, without the iteration.
        """
        raise NotImplementedError

    def read(self, rows: list[dict[str, str]]) -> Any:
        """Reads the first table's rows, of which there is at least one.

        Raises:
            ValueError, KeyError, TypeError: They are not such a table.
        """
        raise NotImplementedError

    def summary(self, measured: Measured) -> str:
        """Says in a sentence what the figure shows of a run."""
        raise NotImplementedError

    def figure(self, measured: Sequence[Measured], title: str) -> "Figure":
        """Draws runs, in the order of the legend."""
        raise NotImplementedError


def layer_values(rows: list[dict[str, str]], column: str) -> LayerValues:
    """Reads rows with `iteration`, `layer` and a column of numbers."""
    found: LayerValues = {}
    for row in rows:
        value = float(row[column])
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{column} must be finite and not negative")
        layers = found.setdefault(int(row["iteration"]), {})
        if row["layer"] in layers:
            raise ValueError(f"{row['layer']} comes twice")
        layers[row["layer"]] = value
    return found


@without_retracing_warnings()
def measure_run(
    instrument: Instrument,
    run: "Trained | str | os.PathLike[str]",
    images: int = 1_000,
    initial: bool = False,
    data_dir: str | os.PathLike[str] | None = None,
    checkpoint: int | None = None,
) -> dict[str, Rows]:
    """Measures a run's network.

    Args:
        instrument: What measures it.
        run: A run, or the path of its folder.
        images: How many images of the training split, from its first, not
            augmented; 0 for all.
        initial: Measure the initial weights in place of a checkpoint's.
            Batch norm then uses the statistics of these very images (of the
            first 1,000 at most, as one batch), for there are no moving
            averages yet.
        data_dir: Where prepared data sets are; see `load_dataset`.
        checkpoint: Iteration of the checkpoint to measure, where `run` is a
            folder; `None` for the newest.

    Returns:
        Rows by the table's name, with the iteration.

    Raises:
        SpecError: `run` is an export, `images` is negative, the initial
            weights were those of another run, or both they and a checkpoint
            are asked for.
        BadDataError: The data are not those of the run.
    """
    from kresnet.network import adapt_transforms, build_transforms
    from kresnet.trained import open_trained

    if images < 0:
        raise SpecError(f"--images: must not be negative. Received: {images}")
    if initial and checkpoint is not None:
        raise SpecError("--initial: goes without --checkpoint")
    opened = open_trained(run, checkpoint).with_layers(instrument.name)
    if initial and opened.identity.beginning:
        raise SpecError(
            f"{opened.folder}: --initial: it began with weights that were"
            " trained elsewhere, and not with drawn ones"
        )
    data = opened.data(data_dir)
    pixels, _ = data.parts(opened.spec.data.validation)
    sample = pixels[: images or None]
    if initial:
        transforms = build_transforms(opened.spec.data, opened.spec.model.input)
        adapt_transforms(transforms, pixels.measured)
        network = _initial_network(opened, transforms, sample)
    else:
        transforms, network = opened.layers()
    subject = Subject(opened.spec, transforms, lambda: network, lambda: sample)
    found = instrument.measure(subject, instrument.plan(subject))
    at = {"iteration": 0 if initial else opened.iteration}
    return {name: [at | row for row in rows] for name, rows in found.items()}


def _initial_network(run: "Layered", transforms, pixels) -> "keras.Model":
    """Initial weights, with batch-norm statistics of the images."""
    from kresnet.network import build_model, inference_model
    from kresnet.trained.statistics import observer

    # At momentum 0 the moving averages are those of the batch; groups would
    # have to divide it.
    model = run.spec.model
    if model.batch_norm is not None:
        batch_norm = model.batch_norm.model_copy(
            update={"momentum": 0.0, "images_per_statistic": None}
        )
        model = model.model_copy(update={"batch_norm": batch_norm})
    network = build_model(model, run.identity.seed)
    observing = inference_model(transforms, observer(network))
    observing.predict_on_batch(pixels[:MOST_AT_ONCE])
    return network


def write_rows(rows: Rows, path: str | os.PathLike[str]) -> None:
    """Writes rows, of which there is at least one, as CSV, in one step.

    Raises:
        CannotWriteError: The file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_file(Path(path), text.getvalue())
