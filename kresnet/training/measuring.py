"""What is measured during training when it is asked for."""

from collections.abc import Callable

import keras
import numpy as np

from kresnet.callbacks import LayerResponses, Periodic
from kresnet.data import Order
from kresnet.instruments.gradients import GradientNorms, Gradients
from kresnet.network import (
    build_model,
    find_places,
    inference_layers,
)
from kresnet.records.folder import RunFolder
from kresnet.spec import Spec
from kresnet.training.logs.log import CsvLog, RowLog
from kresnet.training.options import Options


class Measurements:
    """The callbacks of the measurements that `options` asks for.

    Args:
        folder: Where the files go.
        spec: What is run.
        options: What to measure, and how often.
        transforms: Layers of the run, in its order.
        images: Makes the training split, uint8.
        order: Gives the batches.
        gradients: See `GradientNorms`.

    Attributes:
        callbacks: They come after those that train and before the one that
            saves.
        logs: Their files, by name, for a checkpoint to remember.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        options: Options,
        transforms: list[keras.layers.Layer],
        images: Callable[[], np.ndarray],
        order: Order,
        gradients: Gradients,
    ):
        self.callbacks: list[Periodic] = []
        self.logs: dict[str, RowLog] = {}
        self._check_lock = folder.check_lock
        last = spec.training.iterations
        if options.responses_every:
            responses = self._log(
                folder.responses, ("iteration", "layer", "std", "images")
            )
            ratios = self._log(
                folder.ratios, ("iteration", "block", "ratio", "images")
            )
            # A copy: undistributed, in float32, with every layer in sight.
            network = build_model(spec.model, 0)
            places = find_places(network, spec.model)
            train_images = images()
            count = options.response_images or len(train_images)
            self.callbacks.append(
                LayerResponses(
                    network,
                    places.responses,
                    places.branches,
                    train_images[:count],
                    options.responses_every,
                    last,
                    responses.write,
                    ratios.write,
                    inference_layers(transforms),
                )
            )
        if options.gradients_every:
            norms = self._log(folder.gradients, ("iteration", "layer", "norm"))
            self.callbacks.append(
                GradientNorms(
                    order,
                    gradients,
                    options.gradients_every,
                    last,
                    norms.write,
                )
            )

    def _log(self, path, columns) -> RowLog:
        log = CsvLog(path, columns, self._check_lock)
        self.logs[path.stem] = RowLog(log)
        return self.logs[path.stem]
