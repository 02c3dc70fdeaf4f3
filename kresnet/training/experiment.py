"""The course of one run: begin or go on, train, measure, write down."""

import contextlib
import json
from typing import Any

import numpy as np
from rich.console import Console

from kresnet.callbacks import (
    IterationSchedule,
    NonFiniteLoss,
    NonFiniteLossError,
    Throughput,
    WarmUp,
    WarmUpError,
)
from kresnet.data import Feed, open_source
from kresnet.errors import StoppedError, explain_out_of_memory
from kresnet.instruments import Subject
from kresnet.machine.facts import keep_compiled_programs, make_deterministic
from kresnet.machine.place import Placement, place, place_team
from kresnet.machine.signals import Signals
from kresnet.machine.team import Team
from kresnet.network import adapt_transforms, build_model
from kresnet.notices import notifier
from kresnet.records.checkpoints import Arrays, Checkpoint
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.spec import Spec, spec_digest
from kresnet.trained.arrays import from_arrays, to_arrays
from kresnet.training.begin_with import BeginWith, Deepening
from kresnet.training.logs.log import Measuring
from kresnet.training.logs.logs import Logs
from kresnet.training.logs.progress import ProgressLine
from kresnet.training.loop.loop import train_in_chunks
from kresnet.training.models import make_models, make_steps
from kresnet.training.options import Options
from kresnet.training.resuming import is_finished
from kresnet.training.saving import (
    CHECKPOINTS,
    NonFiniteWeightsError,
    checkpoint_bytes,
)
from kresnet.training.team import Agreement

DIVERGENCES = (NonFiniteLossError, NonFiniteWeightsError, WarmUpError)


class Experiment:
    """One run, the same on every process of a team.

    Process 0 alone has `logs`; it says what goes on, and decides where a chunk
    ends. The weights of `begin_with`, if there is one, are the initial ones.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        seed: int,
        options: Options,
        team: Team,
        console: Console,
        begin_with: BeginWith | None = None,
    ):
        self.folder = folder
        self.spec = spec
        self.seed = seed
        self.options = options
        self.agreement = Agreement(team)
        self.say = notifier(console)
        console = console if team.index == 0 else Console(quiet=True)
        self.notify = notifier(console)
        self.begin_with = begin_with
        self.newest: Checkpoint | None = None
        # The data are not known yet.
        self.identity = Identity.of(
            spec,
            seed,
            precision=options.computed_in,
            beginning=begin_with and begin_with.beginning,
        )
        training = spec.training
        rate, warm_up = training.learning_rate, training.warm_up
        self.throughput = Throughput()
        self.schedule = IterationSchedule(
            rate.start,
            rate.divide_by,
            rate.at,
            WarmUp(**warm_up.model_dump()) if warm_up else None,
            self.notify,
        )
        self.progress = ProgressLine(
            console,
            training.iterations,
            training.batch_size,
            self.schedule,
            self.throughput,
        )
        self.logs: Logs | None = None
        if team.index == 0:
            self.logs = Logs(
                folder,
                spec,
                options,
                self.agreement,
                self.progress,
                self.notify,
            )

    def run(self) -> None:
        """Trains from where the run is, measures, and writes run.json."""
        agreement, logs = self.agreement, self.logs
        with agreement.together():
            # Before the lock: a finished run may be on a read-only disk.
            finished = bool(logs) and is_finished(
                self.folder, self.spec, self.identity, self.notify
            )
        if agreement.of_first(finished):
            if not logs:
                self.say(f"process {agreement.team.index}: already finished")
            agreement.leave()
            return
        with contextlib.ExitStack() as stack:
            with agreement.together():
                placement = self._placement()
                if logs:
                    stack.enter_context(self.folder)
                    stack.callback(logs.close)
                    self.newest = logs.open(self.identity)
            self.newest = agreement.checkpoint(self.newest)
            self._prepare(placement)
            with agreement.together():
                self._begin()
            begun = self.begin_with
            if logs and isinstance(begun, Deepening) and not self.newest:
                self._measure_beginning(logs, begun)
            with agreement.together():
                self._train()
            agreement.leave()
            if logs:
                logs.finish(self._test)

    def _placement(self) -> Placement:
        if self.options.membership:
            return place_team(self.spec, self.agreement.team)
        return place(self.options.devices, self.spec, self.notify)

    def _prepare(self, placement: Placement) -> None:
        """Loads the data and builds the models, at the same time on all."""
        spec, options = self.spec, self.options
        make_deterministic(self.seed)
        keep_compiled_programs()
        self.notify(f"loading {spec.data.facts.title}")
        with self.agreement.together():
            self.data = open_source(spec, options.data_dir)
            self.identity = self.identity.with_data(self.data.fingerprint)
            if self.logs:
                self.logs.begin_record(
                    self.identity,
                    self.data,
                    options.conditions | placement.conditions,
                    self.begin_with.record if self.begin_with else {},
                )
        self.agreement.refuse_others(
            json.dumps(
                [self.identity.digest, spec_digest(spec), options.shared]
            )
        )
        self.train_images, self.held_out = self.data.parts(spec.data.validation)
        self.notify(f"building {spec.name}, seed {self.seed}")
        self.models = make_models(
            spec,
            self.seed,
            options.precision,
            options.rematerialize,
            placement.scope,
        )
        self.model = self.models.model
        self.order = Feed(
            self.data,
            self.train_images.indices,
            spec.training.batch_size,
            self.seed,
            spec.training.iterations,
            spec.model.draws,
        )
        common = [
            self.throughput,
            self.progress,
            NonFiniteLoss(),
            self.schedule,
        ]
        measuring = self._make_measuring()
        self.callbacks = [*common, *measuring]
        if self.logs:
            self.callbacks = self.logs.make_callbacks(
                self._validate, measuring, common
            )

    def _make_measuring(self) -> list[Measuring]:
        spec, options = self.spec, self.options
        subject = Subject(
            spec,
            self.models.inference_transforms,
            # A copy: undistributed, in float32, with every layer in sight.
            lambda: build_model(spec.model, 0),
            lambda: self.train_images[: options.response_images or None],
            self.order,
            self._gradients,
        )
        return [
            Measuring(
                each,
                subject,
                spec.training.iterations,
                self.folder if self.logs else None,
                self._around_measuring,
            )
            for each in options.measured
        ]

    @contextlib.contextmanager
    def _around_measuring(self):
        # It is no part of the speed of training.
        with self.throughput.excluded(), self.progress.doing("measuring"):
            yield

    def _gradients(self, *batch: np.ndarray) -> list:
        self.agreement.exchange()  # all compute them, or nobody
        return self.steps.gradients(*batch)

    def _validate(self) -> dict[str, float]:
        if not len(self.held_out):
            return {}
        with self.progress.doing("evaluating"):
            return self.models.measure("validation", self.held_out)

    def _begin(self) -> None:
        """Sets weights and logs to where the run is."""
        if self.logs:
            self.folder.check_space(CHECKPOINTS * checkpoint_bytes(self.model))
        if self.newest:
            from_arrays(self.model.weights, self.newest.weights)
            from_arrays(self.model.optimizer.variables, self.newest.optimizer)
            remembered: dict[str, Any] = {"schedule": self.schedule}
            if self.logs:
                remembered = self.logs.remembered
            for name, each in remembered.items():
                if name in self.newest.state:  # or it was not asked for then
                    each.set_state(self.newest.state[name])
            self.notify(
                f"{self.folder.path}: continuing at iteration"
                f" {self.newest.iteration} of {self.spec.training.iterations}"
            )
        else:
            self._set_initial_weights()
        if self.logs:
            self.logs.begin()

    def _set_initial_weights(self) -> None:
        """Sets those drawn from the seed, and what the data decide."""
        if not isinstance(self.begin_with, Deepening):
            transforms = self.models.transforms
            images = self.train_images.measured
            if any(hasattr(layer, "adapt") for layer in transforms):
                self.notify(f"measuring {len(images):,} training images")
            adapt_transforms(transforms, images)
        if self.begin_with:
            self.notify(self.begin_with.about)
            own = to_arrays(self.model.weights)
            weights = self.begin_with.initial_weights(
                self.spec, self.train_images, own
            )
            from_arrays(self.model.weights, weights)

    def _measure_beginning(self, logs: Logs, deepening: Deepening) -> None:
        """Measures the deepened network before it is trained further."""
        self.notify("evaluating the deepened network")
        row = logs.metrics.write_first_row()
        begun = self._test() | {"validation_error": row["validation_error"]}
        deepened = deepening.record["deepened"].model_copy(update=begun)
        logs.record.update("running", 0, deepened=deepened)

    def _train(self) -> None:
        logs, training = self.logs, self.spec.training
        first = self.newest.iteration if self.newest else 0
        if first == training.iterations:
            return
        if not logs:
            team = self.agreement.team
            self.say(
                f"process {team.index} of {team.count}: training along from"
                f" iteration {first}"
            )
        try:
            with (
                explain_out_of_memory(self.folder.path, training.batch_size),
                self.progress,
                Signals(self.agreement),
            ):
                self.steps = make_steps(self.model, self.spec, self.data)
                train_in_chunks(
                    self.steps,
                    self.order,
                    first,
                    training.iterations,
                    self.callbacks,
                    lambda: self.throughput.iterations_per_second,
                    self.agreement.of_first,
                )
        except StoppedError:
            if logs:
                logs.update("stopped")
            raise
        except DIVERGENCES as error:
            if logs:  # the others hear of it
                raise logs.diverged(error) from error
        if logs:
            logs.update("running")

    def _test(self, weights: Arrays | None = None) -> dict[str, float]:
        images = self.data.images("test")
        return self.models.measure("test", images, weights)
