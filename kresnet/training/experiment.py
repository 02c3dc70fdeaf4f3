"""The course of one run: begin or go on, train, measure, write down."""

import contextlib
import math

from rich.console import Console

from kresnet.callbacks import (
    NonFiniteLoss,
    NonFiniteLossError,
    Throughput,
    WarmUpError,
)
from kresnet.data import Order, load_dataset, split_train_validation
from kresnet.devices import Placement
from kresnet.errors import (
    DivergedError,
    OutOfMemoryError,
    SpecError,
    StoppedError,
)
from kresnet.network import adapt_transforms
from kresnet.spec import Spec, dump_spec
from kresnet.training.agreement import Agreement, identity_of, leading
from kresnet.training.assembly import assemble, make_schedule
from kresnet.training.checkpoints import Checkpoint, Checkpoints, Identity
from kresnet.training.chunks import fit_chunks
from kresnet.training.compilation_cache import keep_compiled_programs
from kresnet.training.deepening import Source
from kresnet.training.environment import make_deterministic
from kresnet.training.events import Events
from kresnet.training.final_test import error_and_loss, final_numbers
from kresnet.training.loss_log import LossLog
from kresnet.training.measurements import Measurements
from kresnet.training.memory import is_out_of_memory
from kresnet.training.metrics_log import MetricsLog
from kresnet.training.options import Options
from kresnet.training.progress import ProgressBar
from kresnet.training.record import Record, speed
from kresnet.training.resuming import recipe_digest, refuse_other_data
from kresnet.training.run_folder import RunFolder
from kresnet.training.saver import NonFiniteWeightsError, Saver
from kresnet.training.signals import Signals
from kresnet.training.state import from_arrays


class Experiment:
    """One run, put together.

    Args:
        folder: The run's folder, locked.
        spec: What to run.
        seed: Of initial weights, order and draws.
        newest: The checkpoint to go on from; `None` at the beginning.
        checkpoints: Where it is from.
        options: How to run.
        placement: The devices to run on, and the processes that train
            together, this one the first.
        console: For progress and notices.
        source: A run whose weights, deepened, are the initial ones.

    Raises:
        BadDataError: The data are not those of the checkpoint.
        SpecError: `strict`, and versions or hardware changed.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        seed: int,
        newest: Checkpoint | None,
        checkpoints: Checkpoints,
        options: Options,
        placement: Placement,
        console: Console,
        source: Source | None = None,
    ):
        self.folder = folder
        self.spec = spec
        self.seed = seed
        self.newest = newest
        self.checkpoints = checkpoints
        self.console = console
        self.source = source
        self.notify = checkpoints.notify
        make_deterministic(seed)
        keep_compiled_programs()
        self.data = load_dataset(spec.data.dataset, options.data_dir)
        if newest:
            refuse_other_data(
                folder, newest, self.data.name, self.data.fingerprint
            )
        self.agreement = None
        if team := placement.team:
            identity = identity_of(spec, seed, self.data.fingerprint)
            self.agreement = Agreement(team, identity, spec.training.iterations)
            self.agreement.exchange()
        self.train_indices, self.validation_indices = split_train_validation(
            len(self.data.train_images), spec.data.validation
        )
        self.record = Record(
            folder,
            spec,
            seed,
            self.data.fingerprint,
            options.conditions | placement.conditions,
        )
        if newest:
            self._compare_conditions(options.strict)
        if source:
            self.record.info.setdefault("deepened", source.record)
        assembly = assemble(
            spec,
            seed,
            options.precision,
            options.rematerialize,
            placement.scope,
        )
        self.transforms = assembly.transforms
        self.model = assembly.model
        self.logits = assembly.logits
        self.order = Order(self.train_indices, spec.training.batch_size, seed)
        self.measurements = Measurements(
            folder,
            spec,
            options,
            assembly.inference_transforms,
            self.data.train_images[self.train_indices],
            self.order,
        )
        self._make_callbacks(options.checkpoint_every)

    def _compare_conditions(self, strict):
        if not (changed := self.record.changed_conditions):
            return
        message = (
            "the result will not be bit-identical to an uninterrupted run's: "
            + "; ".join(changed)
        )
        if strict:
            raise SpecError(f"{self.folder.path}: --strict: {message}")
        self.notify(message)

    def _make_callbacks(self, checkpoint_every):
        training = self.spec.training
        self.schedule = make_schedule(training, self.notify)
        self.throughput = Throughput()
        held_out = self.validation_indices
        self.metrics = MetricsLog(
            self.folder.metrics,
            training.evaluate_every,
            training.iterations,
            self.schedule,
            self.logits,
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
            Identity(
                recipe_digest(self.spec),
                self.seed,
                self.data.fingerprint,
                self.source and self.source.digest,
            ),
            self.metrics,
            self.throughput,
            {
                "schedule": self.schedule,
                "metrics": self.metrics,
                "losses": self.losses,
                **self.measurements.logs,
            },
            lambda iteration: self._update("running", checkpoint=iteration),
        )
        if self.agreement:
            self.agreement.holder = self.saver
            self.agreement.measured_pace = lambda: (
                self.throughput.iterations_per_second
            )

    def run(self) -> None:
        """Trains from where the run is, measures, and writes run.json."""
        last = self.spec.training.iterations
        first = self.newest.iteration if self.newest else 0
        if self.newest:
            self.saver.restore(self.model, self.newest)
            self.notify(
                f"{self.folder.path}: continuing at iteration {first} of {last}"
            )
        else:
            images = self.data.train_images[self.train_indices]
            if self.source:
                self.notify(f"deepening {self.source.run.folder}")
                deepened = self.source.initial_weights(self.spec, images)
                from_arrays(self.model.weights, deepened)
            else:
                adapt_transforms(self.transforms, images)
            rows = self.measurements.logs.values()
            for each in (self.metrics, self.losses, *rows):
                each.log.cut(None)
        # run.json first: a folder that has none is not a run's.
        self.record.update("running", first)
        self.folder.write_spec(dump_spec(self.spec))
        if self.source and not first:
            self._measure_beginning()
        agreement = self.agreement
        with leading(agreement) if agreement else contextlib.nullcontext():
            if first < last:
                self._fit(first)
        self._finish()

    def _pace(self) -> float:
        own = self.throughput.iterations_per_second
        # The same on all processes: so are their chunks.
        return self.agreement.pace if self.agreement else own

    def _measure_beginning(self):
        """What the deepened network is before it is trained further."""
        row = self.metrics.write_first_row()
        error, loss = error_and_loss(self.logits, self.data)
        self.record.info["deepened"] |= {
            "validation_error": row["validation_error"],
            "test_error": error,
            "test_loss": loss,
        }
        self.record.update("running", 0)

    def _fit(self, first: int):
        training = self.spec.training
        self.model.hold(self.data.train_images, self.data.train_labels)
        events = Events(self.folder.events, first, self.notify)
        self.metrics.listeners = (events,)
        callbacks = [
            self.throughput,
            # Before those that end a run: its last losses are wanted.
            self.losses,
            self.progress,
            NonFiniteLoss(),
            self.schedule,
            self.metrics,
            *self.measurements.callbacks,
            self.saver,
        ]
        part = slice(None)
        if self.agreement:
            # First: it is before a chunk that the processes agree on it.
            callbacks.insert(0, self.agreement)
            part = self.agreement.team.part(training.batch_size)
        try:
            with self.progress, Signals(self.saver):
                fit_chunks(
                    self.model,
                    self.order,
                    first,
                    training.iterations,
                    callbacks,
                    self._pace,
                    part,
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
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise self._out_of_memory() from error
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

    def _out_of_memory(self) -> OutOfMemoryError:
        return OutOfMemoryError(
            f"{self.folder.path}: out of memory with batches of "
            f"{self.spec.training.batch_size}; a smaller "
            "training.batch_size, or a device with more memory, is needed"
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
        losses = self.progress.last_losses()
        self.folder.write_diagnosis(
            {
                "message": str(error),
                "iteration": getattr(error, "iteration", self.saver.iteration),
                "learning_rate": self.schedule.rate,
                # JSON has no NaN.
                "last_losses": [
                    loss if math.isfinite(loss) else str(loss)
                    for loss in losses
                ],
            }
        )
        self.losses.flush()
        self._update("diverged", message=message)
        return DivergedError(
            f"{self.folder.path}: diverged: {message}. {state}"
        )

    def _finish(self):
        self.losses.flush()
        self.record.update(
            "finished",
            self.spec.training.iterations,
            **final_numbers(
                self.logits, self.data, self.metrics.best, self.checkpoints
            ),
        )
        self.folder.remove_diagnosis()
