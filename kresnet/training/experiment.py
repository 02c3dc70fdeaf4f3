"""The course of one run: begin or go on, train, measure, write down."""

from rich.console import Console

from kresnet.data import Dataset
from kresnet.errors import BadDataError, StoppedError
from kresnet.machine.memory import out_of_memory_said
from kresnet.machine.place import Placement
from kresnet.machine.signals import Signals
from kresnet.network import adapt_transforms
from kresnet.records.checkpoints import Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.spec import Spec, dump_spec
from kresnet.trained.arrays import from_arrays
from kresnet.training.begin_with import Source
from kresnet.training.failures import DIVERGENCES, diverged, write_diagnosis
from kresnet.training.final_test import error_and_loss, final_numbers
from kresnet.training.logs.events import Events
from kresnet.training.loop.loop import make_steps, train_in_chunks
from kresnet.training.measuring import Measurements
from kresnet.training.options import Options
from kresnet.training.preparation import prepare
from kresnet.training.record import Record, speed
from kresnet.training.run_callbacks import RunCallbacks
from kresnet.training.team import leading, told


class Experiment:
    """One run, put together.

    Args:
        folder: The run's folder, locked.
        spec: What to run.
        identity: The same with its seed, the data not known yet.
        newest: The checkpoint to go on from; `None` at the beginning.
        checkpoints: Where it is from.
        options: How to run.
        placement: The devices to run on, and the processes that train
            together, this one the first.
        console: For progress and notices.
        source: A run whose weights, deepened, are the initial ones; `None`
            for those drawn from the seed.

    Raises:
        BadDataError: The data are not those of the checkpoint.
        SpecError: `strict`, and versions or hardware changed.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        identity: Identity,
        newest: Checkpoint | None,
        checkpoints: Checkpoints,
        options: Options,
        placement: Placement,
        console: Console,
        source: Source | None,
    ):
        self.folder = folder
        self.spec = spec
        self.identity = identity
        self.newest = newest
        self.checkpoints = checkpoints
        self.source = source
        self.options = options
        self.notify = checkpoints.notify
        self.conditions = options.conditions | placement.conditions
        self.prepared = prepare(
            spec, identity, options, placement, self.notify, self._accept
        )
        self.data = self.prepared.data
        self.agreement = self.prepared.agreement
        assembly = self.prepared.assembly
        self.model = assembly.model
        self.logits = assembly.logits
        held_out = self.prepared.held_out
        self.callbacks = RunCallbacks(
            folder,
            spec,
            self.logits,
            (
                self.data.train_images[held_out],
                self.data.train_labels[held_out],
            ),
            Measurements(
                folder,
                spec,
                options,
                assembly.inference_transforms,
                self.prepared.train_images,
                self.prepared.order,
                lambda indices, keys: self.steps.gradients(indices, keys),
            ),
            checkpoints,
            options.checkpoint_every,
            self.identity,
            console,
            lambda iteration: self._update("running", checkpoint=iteration),
        )
        if self.agreement:
            self.agreement.holder = self.callbacks.saver
            self.agreement.measured_pace = self._measured_pace

    def _accept(self, data: Dataset):
        """Compares the run in the folder with what it would go on with."""
        self.identity = self.identity.with_data(data.fingerprint)
        if self.newest and self.newest.identity.differences(self.identity):
            raise BadDataError(
                f"{self.folder.path}: was begun on other data than the"
                f" {data.name} found here"
            )
        self.checkpoints.identity = self.identity
        self.record = Record(
            self.folder, self.spec.name, self.identity, self.conditions
        )
        if self.newest:
            self.record.compare_conditions(self.options.strict, self.notify)
        if self.source and not self.record.now.deepened:
            self.record.change(deepened=self.source.record)

    def run(self) -> None:
        """Trains from where the run is, measures, and writes run.json."""
        last = self.spec.training.iterations
        first = self.newest.iteration if self.newest else 0
        with told(self.agreement):
            if self.newest:
                self.callbacks.saver.restore(self.model, self.newest)
                self.notify(
                    f"{self.folder.path}: continuing at iteration {first} of"
                    f" {last}"
                )
            else:
                self._set_initial_weights()
                self.callbacks.empty_tables()
            # run.json first: a folder that has none is not a run's.
            self.record.update("running", first)
            self.folder.write_spec(dump_spec(self.spec))
        if self.source and not first:
            self._measure_beginning()
        with leading(self.agreement):
            if first < last:
                self._fit(first)
        self._finish()

    def _set_initial_weights(self):
        """Those drawn from the seed are set; what data decide is not."""
        if self.source is None:
            transforms = self.prepared.assembly.transforms
            if any(hasattr(layer, "adapt") for layer in transforms):
                self.notify("measuring the training images")
            adapt_transforms(transforms, self.prepared.train_images())
            return
        self.notify(f"deepening {self.source.run.folder}")
        images = self.prepared.train_images()
        weights = self.source.initial_weights(self.spec, images)
        from_arrays(self.model.weights, weights)

    def _measured_pace(self) -> float:
        return self.callbacks.throughput.iterations_per_second

    def _pace(self) -> float:
        # The same on all processes: so are their chunks.
        agreed = self.agreement
        return agreed.pace if agreed else self._measured_pace()

    def _measure_beginning(self):
        """What the deepened network is before it is trained further."""
        self.notify("evaluating the deepened network")
        row = self.callbacks.metrics.write_first_row()
        error, loss = error_and_loss(self.logits, self.data)
        begun = {
            "validation_error": row["validation_error"],
            "test_error": error,
            "test_loss": loss,
        }
        deepened = self.record.now.deepened.model_copy(update=begun)
        self.record.update("running", 0, deepened=deepened)

    def _fit(self, first: int):
        training = self.spec.training
        events = Events(
            self.folder.events, first, self.notify, self.folder.check_lock
        )
        callbacks = self.callbacks.in_order(events)
        if self.agreement:
            # First: it is before a chunk that the processes agree on it.
            callbacks.insert(0, self.agreement)
        try:
            with (
                out_of_memory_said(self.folder.path, training.batch_size),
                self.callbacks.progress,
                Signals(self.callbacks.saver),
            ):
                self.steps = make_steps(
                    self.model,
                    self.spec,
                    self.data.train_images,
                    self.data.train_labels,
                )
                train_in_chunks(
                    self.steps,
                    self.prepared.order,
                    first,
                    training.iterations,
                    callbacks,
                    self._pace,
                )
        except StoppedError:
            self._update("stopped")
            raise
        except DIVERGENCES as error:
            rate = self.callbacks.schedule.rate
            message = f"{error}; learning rate {rate:g}"
            write_diagnosis(self.folder, self.callbacks, error)
            self._update("diverged", message=message)
            raise diverged(self.folder, self.checkpoints, message) from error
        finally:
            events.close()
        self._update("running")

    def _update(self, status: str, **more):
        callbacks = self.callbacks
        self.record.update(
            status,
            callbacks.saver.iteration,
            warm_up_ended_at=callbacks.schedule.warm_up_ended_at,
            **speed(callbacks.throughput, self.spec.training.batch_size),
            **more,
        )

    def _finish(self):
        self.callbacks.losses.flush()
        self.notify("evaluating on the test images")
        self.record.update(
            "finished",
            self.spec.training.iterations,
            **final_numbers(
                self.logits,
                self.data,
                self.callbacks.metrics.best,
                self.checkpoints,
            ),
        )
        self.folder.remove_diagnosis()
