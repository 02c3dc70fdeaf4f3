"""The training that is measured."""

import io
import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from kresnet.callbacks import (
    IterationSchedule,
    NonFiniteLoss,
    NonFiniteLossError,
    Throughput,
    updates_done,
)
from kresnet.data import Feed, Source
from kresnet.errors import DivergedError
from kresnet.network import adapt_transforms, training_model
from kresnet.spec import Spec
from kresnet.training.logs.log import LossLog
from kresnet.training.logs.progress import ProgressLine
from kresnet.training.loop.loop import train_in_chunks
from kresnet.training.models import make_models, make_steps


class TrainingPath:
    """Model, data, order and callbacks of a run, ready to go on with.

    It is in the steady state of a run: a warm-up, which ends a chunk after
    every iteration, is left out, and its learning rate is kept.
    The indices are the training split of the source; the folder is that of
    losses.csv; losses must be finite if `finite`.
    """

    def __init__(
        self,
        spec: Spec,
        seed: int,
        source: Source,
        indices: np.ndarray,
        folder: Path,
        precision: str = "float32",
        finite: bool = True,
    ):
        training = spec.training
        models = make_models(spec, seed, precision)
        transforms, self.model = models.transforms, models.model
        nothing = keras.Sequential(
            [keras.Input(spec.model.input), keras.layers.Identity()]
        )
        self.transforms_model = training_model(transforms, nothing)
        adapt_transforms(transforms, source.images("train", indices))
        rate = (training.warm_up or training.learning_rate).model_dump()
        start = rate.get("learning_rate", rate.get("start"))
        self.steps: Any = make_steps(self.model, spec, source)
        self.order = Feed(
            source,
            indices,
            training.batch_size,
            seed,
            training.iterations,
            spec.model.draws,
        )
        self._throughput = Throughput(skip=1)
        schedule = IterationSchedule(start)
        losses = LossLog(folder / "losses.csv")
        losses.log.set_state(None)
        self._progress = ProgressLine(
            Console(file=io.StringIO()),
            training.iterations,
            training.batch_size,
            schedule,
            self._throughput,
        )
        self._callbacks = [
            self._throughput,
            schedule,
            *([NonFiniteLoss()] if finite else []),
            losses,
            self._progress,
        ]

    def whole(self, iterations: int) -> dict:
        """Trains on; the first iteration is not measured."""
        self._train(iterations + 1)
        return {
            "iterations": iterations,
            "seconds": self._throughput.seconds,
            "cpu_seconds": self._throughput.cpu_seconds,
        }

    def losses(self, iterations: int) -> dict:
        """Trains on, at most 50 iterations; returns the loss of each."""
        self._train(iterations)
        return {"losses": self._progress.last_losses()[-iterations:]}

    def _train(self, iterations: int):
        # One iteration first, so that all others can be measured.
        speed = self._throughput.iterations_per_second
        paces = itertools.chain([0.0], itertools.repeat(speed))
        first = updates_done(self.model)
        try:
            train_in_chunks(
                self.steps,
                self.order,
                first,
                first + iterations,
                self._callbacks,
                lambda: next(paces),
            )
        except NonFiniteLossError as error:
            raise DivergedError(str(error)) from error
