"""The course of one run: begin or go on, train, measure, write down."""

import contextlib
import json
import math
from typing import Any

import keras
import numpy as np
from rich.console import Console

from kresnet import sealed_folder
from kresnet.callbacks import (
    IterationSchedule,
    NonFiniteLoss,
    NonFiniteLossError,
    Throughput,
    WarmUp,
    WarmUpError,
)
from kresnet.data import Feed, Images, load_dataset, split_train_validation
from kresnet.errors import (
    BadDataError,
    DivergedError,
    StoppedError,
    explain_out_of_memory,
)
from kresnet.instruments import Subject
from kresnet.machine.facts import keep_compiled_programs, make_deterministic
from kresnet.machine.place import Placement, place, place_team
from kresnet.machine.signals import Signals
from kresnet.machine.surroundings import FLOATX
from kresnet.machine.team import Team
from kresnet.network import adapt_transforms, build_model
from kresnet.notices import notifier
from kresnet.records.checkpoints import Arrays, Checkpoint, Checkpoints
from kresnet.records.folder import RunFolder
from kresnet.records.identity import Identity
from kresnet.spec import DATASETS, Spec, dump_spec, spec_digest
from kresnet.trained import measures
from kresnet.trained.arrays import from_arrays
from kresnet.training.assembly import assemble
from kresnet.training.begin_with import Deepening
from kresnet.training.logs.events import Events
from kresnet.training.logs.log import RowLog
from kresnet.training.logs.losses import LossLog
from kresnet.training.logs.metrics import MetricsLog
from kresnet.training.logs.progress import ProgressLine
from kresnet.training.loop.keras_callbacks import KerasCallbacks
from kresnet.training.loop.loop import make_steps, train_in_chunks
from kresnet.training.measuring import Measuring
from kresnet.training.options import Options
from kresnet.training.record import Record, speed
from kresnet.training.resuming import (
    newest_of_this_experiment,
    read_same_experiment,
)
from kresnet.training.saving import (
    CHECKPOINTS,
    NonFiniteWeightsError,
    Saver,
    checkpoint_bytes,
)
from kresnet.training.team import Agreement

DIVERGENCES = (NonFiniteLossError, NonFiniteWeightsError, WarmUpError)


class Experiment:
    """One run, the same on every process of a team.

    Process 0 alone has the folder, with its record, logs and checkpoints; it
    says what goes on, and decides where a chunk ends.

    Args:
        folder: The run's folder.
        spec: What to run.
        seed: Initial weights, order and draws.
        options: How to run.
        team: The processes.
        console: For progress and notices.
        deepening: A run whose weights, deepened, are the initial ones; `None`
            for those drawn from the seed.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: Spec,
        seed: int,
        options: Options,
        team: Team,
        console: Console,
        deepening: Deepening | None = None,
    ):
        self.folder = folder
        self.spec = spec
        self.seed = seed
        self.options = options
        self.agreement = Agreement(team)
        self.leads = team.index == 0
        self.say = notifier(console)
        self.console = console if self.leads else Console(quiet=True)
        self.notify = notifier(self.console)
        self.deepening = deepening
        self.newest: Checkpoint | None = None
        # The data are not known yet.
        self.identity = Identity.of(
            spec,
            seed,
            precision=options.computed_in,
            beginning=deepening and deepening.beginning,
        )

    def run(self) -> None:
        """Trains from where the run is, measures, and writes run.json.

        Raises:
            KresnetError: One of the errors of `kresnet.errors`.
        """
        agreement = self.agreement
        with agreement.together():
            finished = self.leads and self._is_finished()
        if agreement.of_first(finished):
            if not self.leads:
                self.say(f"process {agreement.team.index}: already finished")
            agreement.leave()
            return
        with contextlib.ExitStack() as locked:
            with agreement.together():
                placement = self._placement()
                if self.leads:
                    locked.enter_context(self.folder)
                    self._open()
            self.newest = agreement.checkpoint(self.newest)
            self._prepare(placement)
            with agreement.together():
                self._begin()
            if self.deepening and not self.newest:
                self._measure_beginning(self.deepening)
            with agreement.together():
                self._train()
            agreement.leave()
            if self.leads:
                self._finish()

    def _is_finished(self) -> bool:
        folder = self.folder
        record = read_same_experiment(
            folder, self.spec, self.identity, self.notify
        )
        # Before the lock: a finished run may be on a disk that is read-only.
        if record and record.status == "finished":
            self.notify(
                f"{folder.path}: already finished; name another folder with "
                "--out to run it again"
            )
            return True
        return False

    def _placement(self) -> Placement:
        if self.options.membership:
            return place_team(self.spec, self.agreement.team.count)
        return place(self.options.devices, self.spec, self.notify)

    def _open(self) -> None:
        """Finds out where to go on; on process 0, the folder locked."""
        folder, identity = self.folder, self.identity
        if keras.config.floatx() == "float64":
            self.notify(f"{folder.path}: in float64, which is {FLOATX}")
        # Another process may have written meanwhile.
        record = read_same_experiment(
            folder, self.spec, identity, lambda line: None
        )
        self.checkpoints = Checkpoints(
            folder.checkpoints,
            self.notify,
            folder.check_lock,
            record.identity if record else None,
        )
        self.newest = newest_of_this_experiment(
            folder, self.checkpoints, record, identity, self.notify
        )

    def _prepare(self, placement: Placement) -> None:
        """Loads the data and builds the models, at the same time on all."""
        spec, options = self.spec, self.options
        make_deterministic(self.seed)
        keep_compiled_programs()
        self.notify(f"loading {DATASETS[spec.data.dataset].title}")
        with self.agreement.together():
            self.data = load_dataset(spec.data.dataset, options.data_dir)
            self.identity = self.identity.with_data(self.data.fingerprint)
            if self.leads:
                self._open_record(options.conditions | placement.conditions)
        self.agreement.refuse_others(
            json.dumps(
                [self.identity.digest, spec_digest(spec), options.shared]
            )
        )
        self.train_indices, self.held_out = split_train_validation(
            len(self.data.labels("train")), spec.data.validation
        )
        self.notify(f"building {spec.name}, seed {self.seed}")
        self.models = assemble(
            spec,
            self.seed,
            options.precision,
            options.rematerialize,
            placement.scope,
        )
        self.model = self.models.model
        self.order = Feed(
            self.data,
            self.train_indices,
            spec.training.batch_size,
            self.seed,
            spec.training.iterations,
        )
        self._make_callbacks()

    def _open_record(self, conditions: dict[str, object]) -> None:
        """Compares the run in the folder with what would go on."""
        if self.newest and self.newest.identity.differences(self.identity):
            raise BadDataError(
                f"{self.folder.path}: was begun on other data than the"
                f" {self.data.name} found here"
            )
        self.checkpoints.identity = self.identity
        self.record = Record(
            self.folder, self.spec.name, self.identity, conditions
        )
        if self.newest:
            self.record.compare_conditions(self.options.strict, self.notify)
        if self.deepening and not self.record.now.deepened:
            self.record.change(deepened=self.deepening.record)

    def _train_images(self) -> Images:
        return self.data.images("train", self.train_indices)

    def _make_callbacks(self) -> None:
        """Makes the callbacks, in the order in which they are called."""
        training, last = self.spec.training, self.spec.training.iterations
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
            self.console,
            last,
            training.batch_size,
            self.schedule,
            self.throughput,
        )
        measuring = self._make_measuring()
        self.logs: dict[str, MetricsLog | LossLog | RowLog] = {}
        self.callbacks = [
            self.throughput,
            self.progress,
            NonFiniteLoss(),
            self.schedule,
            *measuring,
        ]
        if not self.leads:
            return
        check_lock = self.folder.check_lock
        self.losses = LossLog(self.folder.losses, check_lock)
        self.metrics = MetricsLog(
            self.folder.metrics,
            training.evaluate_every,
            last,
            self.schedule,
            self._evaluate,
            self.data.images("train", self.held_out),
            self.throughput,
            check_lock,
        )
        self.logs = {"metrics": self.metrics, "losses": self.losses}
        for each in measuring:
            self.logs |= each.logs
        self.saver = Saver(
            self.checkpoints,
            self.options.checkpoint_every,
            last,
            self.identity,
            self.metrics,
            self.throughput,
            self._remembered,
            self.agreement,
            lambda iteration: self._update("running", checkpoint=iteration),
        )
        self.users = KerasCallbacks(
            self.options.callbacks,
            training.evaluate_every,
            last,
            self.throughput,
        )
        self.callbacks = [
            self.throughput,
            # Before those that end a run: its last losses are wanted.
            self.losses,
            self.progress,
            NonFiniteLoss(),
            self.schedule,
            self.metrics,
            *measuring,
            self.users,
            self.saver,
        ]

    def _make_measuring(self) -> list[Measuring]:
        spec, options = self.spec, self.options
        subject = Subject(
            spec,
            self.models.inference_transforms,
            # A copy: undistributed, in float32, with every layer in sight.
            lambda: build_model(spec.model, 0),
            lambda: self._train_images()[: options.response_images or None],
            self.order,
            self._gradients,
        )
        return [
            Measuring(
                each,
                subject,
                spec.training.iterations,
                self.folder if self.leads else None,
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

    def _evaluate(self, images: Images) -> np.ndarray:
        with self.progress.doing("evaluating"):
            return self.models.logits(images)

    def _begin(self) -> None:
        """Sets weights and logs to where the run is."""
        if self.leads:
            self.folder.check_space(CHECKPOINTS * checkpoint_bytes(self.model))
        if self.newest:
            from_arrays(self.model.weights, self.newest.weights)
            from_arrays(self.model.optimizer.variables, self.newest.optimizer)
            for name, each in self._remembered.items():
                if name in self.newest.state:  # or it was not asked for then
                    each.set_state(self.newest.state[name])
            self.notify(
                f"{self.folder.path}: continuing at iteration"
                f" {self.newest.iteration} of {self.spec.training.iterations}"
            )
        else:
            self._set_initial_weights()
            # Rows that a run left which had no checkpoint yet.
            for each in self.logs.values():
                each.log.cut(None)
        if self.leads:
            # run.json first: a folder that has none is not a run's.
            self.record.update("running", self._first)
            self.folder.write_spec(dump_spec(self.spec))

    @property
    def _remembered(self) -> dict[str, Any]:
        """What a checkpoint keeps the state of."""
        return {"schedule": self.schedule, **self.logs}

    @property
    def _first(self) -> int:
        """The iterations done before."""
        return self.newest.iteration if self.newest else 0

    def _set_initial_weights(self) -> None:
        """Sets those drawn from the seed, and what the data decide."""
        if self.deepening is None:
            transforms = self.models.transforms
            if any(hasattr(layer, "adapt") for layer in transforms):
                self.notify("measuring the training images")
            adapt_transforms(transforms, self._train_images())
            return
        self.notify(f"deepening {self.deepening.run.folder}")
        weights = self.deepening.initial_weights(
            self.spec, self._train_images()
        )
        from_arrays(self.model.weights, weights)

    def _measure_beginning(self, deepening: Deepening) -> None:
        """Measures the deepened network before it is trained further."""
        self.notify("evaluating the deepened network")
        row = self.metrics.write_first_row()
        begun = self._test() | {"validation_error": row["validation_error"]}
        deepened = deepening.record.model_copy(update=begun)
        self.record.update("running", 0, deepened=deepened)

    def _train(self) -> None:
        first, training = self._first, self.spec.training
        if first == training.iterations:
            return
        if not self.leads:
            team = self.agreement.team
            self.say(
                f"process {team.index} of {team.count}: training along from"
                f" iteration {first}"
            )
        events = Events(
            self.folder.events, first, self.notify, self.folder.check_lock
        )
        if self.leads:
            self.metrics.listeners = (self.progress, events, self.users)
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
            self._update("stopped")
            raise
        except DIVERGENCES as error:
            if self.leads:  # the others hear of it
                raise self._diverged(error) from error
        finally:
            events.close()
        self._update("running")

    def _update(self, status: str, **more) -> None:
        if self.leads:
            self.record.update(
                status,
                self.saver.iteration,
                warm_up_ended_at=self.schedule.warm_up_ended_at,
                **speed(self.throughput, self.spec.training.batch_size),
                **more,
            )

    def _diverged(self, error: RuntimeError) -> DivergedError:
        """Writes the diagnosis and losses; checkpoints stay as they are."""
        rate = self.schedule.rate
        iteration = getattr(error, "iteration", self.saver.iteration)
        self.folder.write_diagnosis(
            {
                "message": str(error),
                "iteration": iteration,
                "learning_rate": rate,
                # JSON has no NaN.
                "last_losses": [
                    loss if math.isfinite(loss) else str(loss)
                    for loss in self.progress.last_losses()
                ],
            }
        )
        self.losses.flush()
        message = f"{error}; learning rate {rate:g}"
        self._update("diverged", message=message)
        kept = self.checkpoints.iterations()
        state = (
            f"The checkpoint of iteration {kept[-1]} is intact"
            if kept
            else "There was no checkpoint yet"
        )
        return DivergedError(
            f"{self.folder.path}: diverged: {message}. {state}"
        )

    def _finish(self) -> None:
        """Measures on the test images, at the end and at the best."""
        self.losses.flush()
        self.notify("evaluating on the test images")
        found = self._test()
        best = self.metrics.best
        if best is not None:
            try:
                weights = self.checkpoints.load(best["iteration"]).weights
                error = self._test(weights)["test_error"]
            except sealed_folder.DamagedError as damage:
                self.notify(f"no test error at the best validation: {damage}")
                error = None
            best = {**best, "test_error": error}
        last = self.spec.training.iterations
        self.record.update("finished", last, **found, best_validation=best)
        self.folder.remove_diagnosis()

    def _test(self, weights: Arrays | None = None) -> dict[str, float]:
        """Error (%) and loss on the test images; `None`: the weights now."""
        images = self.data.images("test")
        logits = self.models.logits(images, weights)
        return {
            "test_error": measures.error(logits, images.labels),
            "test_loss": measures.cross_entropy(logits, images.labels),
        }
