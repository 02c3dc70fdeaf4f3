"""The parts of one run put together, and run."""

import os

import keras
from rich.console import Console

from kresnet import measures, sealed_folder
from kresnet.callbacks import (
    IterationSchedule,
    NonFiniteLoss,
    NonFiniteLossError,
    Throughput,
    WarmUp,
    WarmUpError,
)
from kresnet.data import Order, load_dataset, split_train_validation
from kresnet.errors import DivergedError, StoppedError
from kresnet.network import (
    adapt_transforms,
    build_model,
    build_transforms,
    inference_model,
    training_model,
)
from kresnet.spec import Spec, dump_spec, spec_digest
from kresnet.training.checkpoints import Checkpoint, Checkpoints
from kresnet.training.chunks import chunk_model_class, chunks
from kresnet.training.environment import make_deterministic
from kresnet.training.events import Events
from kresnet.training.loss_log import LossLog
from kresnet.training.metrics_log import MetricsLog
from kresnet.training.optimizer import CoupledSGD
from kresnet.training.progress import ProgressBar
from kresnet.training.record import Record, speed
from kresnet.training.run_folder import RunFolder
from kresnet.training.saver import NonFiniteWeightsError, Saver
from kresnet.training.signals import Signals
from kresnet.training.state import from_arrays


class Experiment:
    """The parts of one run, put together.

    Args:
        folder: The run's folder, locked.
        spec: What to run.
        seed: Of initial weights, order and draws.
        data_dir: Where prepared data sets are.
        checkpoint_every: Iterations between checkpoints.
        console: For progress and notices.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        seed: int,
        data_dir: str | os.PathLike[str] | None,
        checkpoint_every: int,
        console: Console,
    ):
        model_class = chunk_model_class()
        self.folder = folder
        self.spec = spec
        self.seed = seed
        self.console = console
        self.checkpoints = Checkpoints(folder.checkpoints, self.notify)
        make_deterministic(seed)
        self.data = load_dataset(spec.data.dataset, data_dir)
        self.train_indices, self.validation_indices = split_train_validation(
            len(self.data.train_images), spec.data.validation
        )
        self.record = Record(folder, spec, seed, self.data.fingerprint)
        self._build(model_class)
        self._make_callbacks(checkpoint_every)

    def notify(self, text: str) -> None:
        """Says something to the user."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _build(self, model_class: type[keras.Model]):
        spec = self.spec
        self.transforms = build_transforms(spec.data, spec.model.input)
        network = build_model(spec.model, self.seed)
        self.model = training_model(self.transforms, network, model_class)
        self.inference = inference_model(self.transforms, network)
        training = spec.training
        optimizer = CoupledSGD(
            training.learning_rate.start,
            training.momentum,
            training.weight_decay,
            training.decay_batch_norm,
            training.decay_biases,
        )
        # XLA on a CPU takes three to four times as long in TensorFlow; JAX
        # has nothing else.
        self.model.compile(
            optimizer, jit_compile=keras.backend.backend() == "jax"
        )
        optimizer.build(self.model.trainable_variables)

    def _make_callbacks(self, checkpoint_every):
        training = self.spec.training
        rate = training.learning_rate
        warm_up = training.warm_up
        self.schedule = IterationSchedule(
            rate.start,
            rate.divide_by,
            rate.at,
            WarmUp(**warm_up.model_dump()) if warm_up else None,
            self.notify,
        )
        self.throughput = Throughput()
        held_out = self.validation_indices
        self.metrics = MetricsLog(
            self.folder.metrics,
            training.evaluate_every,
            training.iterations,
            self.schedule,
            self.inference,
            self.data.train_images[held_out],
            self.data.train_labels[held_out],
            self.throughput,
        )
        self.losses = LossLog(self.folder.losses)
        self.progress = ProgressBar(
            self.console,
            training.iterations,
            training.batch_size,
            self.schedule,
            self.throughput,
        )
        self.saver = Saver(
            self.checkpoints,
            checkpoint_every,
            training.iterations,
            spec_digest(self.spec),
            self.metrics,
            self.throughput,
            {
                "schedule": self.schedule,
                "metrics": self.metrics,
                "losses": self.losses,
            },
        )

    def run(self) -> None:
        """Trains from where the run is, measures, and writes run.json."""
        newest = self.checkpoints.newest()
        if newest:
            self._continue(newest)
        else:
            adapt_transforms(
                self.transforms, self.data.train_images[self.train_indices]
            )
            for log in (self.metrics.log, self.losses.log):
                log.cut(0)
        first = newest.iteration if newest else 0
        self.folder.write_spec(dump_spec(self.spec))
        self.record.update("running", first)
        if first < self.spec.training.iterations:
            self._fit(first)
        self._finish()

    def _continue(self, checkpoint: Checkpoint):
        self.saver.restore(self.model, checkpoint)
        self.notify(
            f"{self.folder.path}: continuing at iteration "
            f"{checkpoint.iteration} of {self.spec.training.iterations}"
        )
        if changed := self.record.changed_conditions:
            self.notify(
                "the result will not be bit-identical to an uninterrupted "
                "run's: " + "; ".join(changed)
            )

    def _fit(self, first: int):
        training = self.spec.training
        self.model.hold(self.data.train_images, self.data.train_labels)
        events = Events(self.folder.events, first, self.notify)
        self.metrics.listeners = (events,)
        callbacks = [
            self.throughput,
            self.schedule,
            NonFiniteLoss(),
            self.losses,
            self.metrics,
            self.progress,
            self.saver,
        ]
        steps = chunks(
            Order(self.train_indices, training.batch_size, self.seed),
            first,
            training.iterations,
            callbacks,
            lambda: self.throughput.iterations_per_second,
        )
        try:
            with self.progress, Signals(self.saver):
                self.model.fit(
                    steps, callbacks=callbacks, shuffle=False, verbose=0
                )
        except StoppedError:
            self._update("stopped")
            raise
        except (
            NonFiniteLossError,
            NonFiniteWeightsError,
            WarmUpError,
        ) as error:
            raise self._diverged(error) from error
        finally:
            events.close()
        self._update("running")

    def _update(self, status: str, **more):
        self.record.update(
            status,
            self.saver.iteration,
            warm_up_ended_at=self.schedule.warm_up_ended_at,
            **speed(self.throughput, self.spec.training.batch_size),
            **more,
        )

    def _diverged(self, error: RuntimeError) -> DivergedError:
        """Writes down what is known; checkpoints stay as they are."""
        kept = self.checkpoints.iterations()
        state = (
            f"The checkpoint of iteration {kept[-1]} is intact"
            if kept
            else "There was no checkpoint yet"
        )
        message = f"{error}; learning rate {self.schedule.rate:g}"
        self.folder.write_diagnosis(
            {
                "message": str(error),
                "iteration": getattr(error, "iteration", self.saver.iteration),
                "learning_rate": self.schedule.rate,
                "last_losses": self.progress.last_losses(),
            }
        )
        self.losses.flush()
        self._update("diverged", message=message)
        return DivergedError(
            f"{self.folder.path}: diverged: {message}. {state}"
        )

    def _finish(self):
        self.losses.flush()
        error, loss = self._test()
        self.record.update(
            "finished",
            self.spec.training.iterations,
            test_error=error,
            test_loss=loss,
            best_validation=self._best_validation(),
        )

    def _best_validation(self) -> dict | None:
        """Errors at the best iteration, kept apart from the last one's."""
        best = self.metrics.best
        if best is None:
            return None
        try:
            checkpoint = self.checkpoints.load(best["iteration"])
        except sealed_folder.DamagedError as error:
            self.notify(f"no test error at the best validation: {error}")
            return {**best, "test_error": None}
        from_arrays(self.model.weights, checkpoint.weights)
        return {**best, "test_error": self._test()[0]}

    def _test(self) -> tuple[float, float]:
        logits = measures.predict_logits(self.inference, self.data.test_images)
        labels = self.data.test_labels
        return (
            measures.error(logits, labels),
            measures.cross_entropy(logits, labels),
        )
