"""The course of one run: begin or go on, train, measure, write down."""

import contextlib

from rich.console import Console

from kresnet.data import Order, load_dataset, split_train_validation
from kresnet.devices import Placement
from kresnet.errors import SpecError, StoppedError
from kresnet.network import adapt_transforms
from kresnet.spec import Spec, dump_spec
from kresnet.training.agreement import Agreement, identity_of, leading
from kresnet.training.assembly import assemble
from kresnet.training.checkpoints import Checkpoint, Checkpoints, Identity
from kresnet.training.chunks import fit_chunks
from kresnet.training.compilation_cache import keep_compiled_programs
from kresnet.training.deepening import Source
from kresnet.training.environment import make_deterministic
from kresnet.training.events import Events
from kresnet.training.failures import DIVERGENCES, divergence, out_of_memory
from kresnet.training.final_test import error_and_loss, final_numbers
from kresnet.training.measurements import Measurements
from kresnet.training.memory import is_out_of_memory
from kresnet.training.options import Options
from kresnet.training.record import Record, speed
from kresnet.training.resuming import (
    recipe_digest,
    refuse_other_data,
    refuse_other_precision,
)
from kresnet.training.run_callbacks import RunCallbacks
from kresnet.training.run_folder import RunFolder
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
        self.source = source
        self.notify = checkpoints.notify
        make_deterministic(seed)
        keep_compiled_programs()
        self.data = load_dataset(spec.data.dataset, options.data_dir)
        if newest:
            refuse_other_data(
                folder, newest, self.data.name, self.data.fingerprint
            )
            refuse_other_precision(
                folder, newest, folder.read_info(), options.precision
            )
        self.agreement = None
        if team := placement.team:
            identity = identity_of(spec, seed, self.data.fingerprint)
            self.agreement = Agreement(team, identity, spec.training.iterations)
            self.agreement.exchange()
        self.train_indices, held_out = split_train_validation(
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
                self._images(),
                self.order,
            ),
            checkpoints,
            options.checkpoint_every,
            Identity(
                recipe_digest(spec),
                seed,
                self.data.fingerprint,
                source and source.digest,
                options.precision,
            ),
            console,
            lambda iteration: self._update("running", checkpoint=iteration),
        )
        if self.agreement:
            self.agreement.holder = self.callbacks.saver
            self.agreement.measured_pace = self._measured_pace

    def _images(self):
        """The training split: a copy, not kept."""
        return self.data.train_images[self.train_indices]

    def _compare_conditions(self, strict):
        if strict and (unknown := self.record.unknown_conditions):
            raise SpecError(
                f"{self.folder.path}: --strict: run.json does not say the"
                f" {' and '.join(unknown)} of the run until now"
            )
        if not (changed := self.record.changed_conditions):
            return
        message = (
            "the result will not be bit-identical to an uninterrupted run's: "
            + "; ".join(changed)
        )
        if strict:
            raise SpecError(f"{self.folder.path}: --strict: {message}")
        self.notify(message)

    def run(self) -> None:
        """Trains from where the run is, measures, and writes run.json."""
        last = self.spec.training.iterations
        first = self.newest.iteration if self.newest else 0
        if self.newest:
            self.callbacks.saver.restore(self.model, self.newest)
            self.notify(
                f"{self.folder.path}: continuing at iteration {first} of {last}"
            )
        else:
            self._set_initial_weights()
            self.callbacks.empty_tables()
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

    def _set_initial_weights(self):
        """Those drawn from the seed are set; what data decide is not."""
        if self.source is None:
            adapt_transforms(self.transforms, self._images())
            return
        self.notify(f"deepening {self.source.run.folder}")
        weights = self.source.initial_weights(self.spec, self._images())
        from_arrays(self.model.weights, weights)

    def _measured_pace(self) -> float:
        return self.callbacks.throughput.iterations_per_second

    def _pace(self) -> float:
        # The same on all processes: so are their chunks.
        agreed = self.agreement
        return agreed.pace if agreed else self._measured_pace()

    def _measure_beginning(self):
        """What the deepened network is before it is trained further."""
        row = self.callbacks.metrics.write_first_row()
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
        callbacks = self.callbacks.in_order(events)
        part = slice(None)
        if self.agreement:
            # First: it is before a chunk that the processes agree on it.
            callbacks.insert(0, self.agreement)
            part = self.agreement.team.part(training.batch_size)
        try:
            with self.callbacks.progress, Signals(self.callbacks.saver):
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
        except DIVERGENCES as error:
            message, diverged = divergence(
                self.folder, self.checkpoints, self.callbacks, error
            )
            self._update("diverged", message=message)
            raise diverged from error
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise out_of_memory(self.folder, training.batch_size) from error
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
